// The order of tasks that keeps the fewest bytes alive at once.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/allocate.hpp"

namespace netwright::plan {

// Tasks 0 .. n-1 are listed in one valid order. A buffer is alive from the first to the last task that
// touches it; from the start if `from_start`, to the end if `to_end`.
struct Flow {
  std::vector<std::vector<std::int32_t>> before;   // of each task: tasks that must come before it
  std::vector<std::vector<std::int32_t>> touched;  // of each task: the buffers it reads or writes
  std::vector<std::int64_t> size;                  // of each buffer, bytes
  std::vector<char> from_start, to_end;            // of each buffer
  struct Reuse {
    std::int32_t source, target;
  };
  // Of each task: `target` may take `source`'s bytes (of equal size) when this is the last task to
  // touch `source`. Pairs of one target stand together; two targets never share a source.
  std::vector<std::vector<Reuse>> in_place;
};

struct Order {
  std::vector<std::int32_t> task;
  std::int64_t peak, bound, nodes;
  bool proved;
};

// Exact within `limits.nodes` states, else the best order of a beam search with the bound reached.
Order best_order(const Flow& flow, const Limits& limits);

// The most bytes alive at once when the tasks run in this order.
std::int64_t peak_of(const Flow& flow, const std::vector<std::int32_t>& order);

}  // namespace netwright::plan
