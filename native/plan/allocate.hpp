// Static allocation: buffers that live over known times get offsets in one address space.
#pragma once

#include <cstdint>
#include <vector>

namespace netwright::plan {

// One buffer a position. Lifetimes are half open; lower < upper, size >= 1, alignment >= 1.
struct Buffers {
  std::vector<std::int64_t> lower, upper, size, alignment;
  std::vector<std::int64_t> fixed;  // the offset that it must have; -1: free

  std::size_t count() const { return size.size(); }
};

enum class Outcome { found, impossible, stopped };

struct Limits {
  std::int64_t nodes;  // search nodes; the result depends on nothing else, so it is deterministic
  double seconds;      // of wall time; 0: none
};

struct Fit {
  Outcome outcome;
  std::int64_t nodes;
  std::vector<std::int64_t> offset;  // empty unless found
};

// Complete search for offsets whose heights stay within `capacity` (search.cpp).
Fit fit(const Buffers& buffers, std::int64_t capacity, const Limits& limits);

struct Packing {
  std::int64_t height, bound, nodes;
  bool proved;  // height == bound
  std::vector<std::int64_t> offset;
};

// The lowest packing that the limits let us find, with the best bound that they let us prove.
Packing minimise(const Buffers& buffers, const Limits& limits);

// The best of several greedy first-fit and best-fit orders. Empty when fixed buffers collide.
std::vector<std::int64_t> greedy(const Buffers& buffers);

std::int64_t height_of(const Buffers& buffers, const std::vector<std::int64_t>& offset);

// The most bytes alive at one time: no packing is lower.
std::int64_t load_bound(const Buffers& buffers);

inline std::int64_t align_up(std::int64_t value, std::int64_t alignment) {
  const std::int64_t rest = value % alignment;
  return rest == 0 ? value : value + alignment - rest;
}

}  // namespace netwright::plan
