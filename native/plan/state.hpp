// A set of finished tasks, and what one more task does to the bytes alive. Bits, for speed.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/order.hpp"

namespace netwright::plan {

using Bits = std::vector<std::uint64_t>;

inline bool has(const Bits& bits, std::int32_t i) { return bits[i >> 6] >> (i & 63) & 1; }
inline void add(Bits& bits, std::int32_t i) { bits[i >> 6] |= std::uint64_t{1} << (i & 63); }

struct State {
  Bits done;
  std::int32_t count;  // of finished tasks
  std::int64_t live, peak;
};

struct Move {
  std::int64_t during, after;  // bytes alive while the task runs, and once it has
};

class Rules {
 public:
  explicit Rules(const Flow& flow);

  State start() const;
  bool ready(const State& state, std::int32_t task) const;
  Move move(const State& state, std::int32_t task) const;
  void apply(State& state, std::int32_t task, const Move& move) const;

  // The most bytes that must be alive together around any one task, whatever the order.
  std::int64_t bound() const;

  const Flow& flow;
  const std::int32_t tasks;
  const std::size_t words;
  std::vector<std::vector<std::int32_t>> next;  // of each task: tasks that wait for it

 private:
  bool unborn(const State& state, std::int32_t buffer) const;
  bool last_touch(const State& state, std::int32_t buffer, std::int32_t task) const;

  std::vector<Bits> before_;  // of each task
  std::vector<Bits> touch_;   // of each buffer: its tasks
};

}  // namespace netwright::plan
