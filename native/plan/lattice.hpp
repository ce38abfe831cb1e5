// All tilings of some loops by divisors: points of a grid with one axis for each prime of each loop.
#pragma once

#include <cstdint>
#include <vector>

namespace netwright::plan {

class Lattice {
 public:
  explicit Lattice(const std::vector<std::int64_t>& turns);

  std::size_t size() const { return size_; }
  const std::int64_t* extents(std::size_t point) const { return &extents_[point * loops_]; }
  std::size_t last() const { return size_ - 1; }
  // Whether b is a tiling of which a is a part.
  bool within(std::size_t a, std::size_t b) const {
    return (((packed_[b] | guard_) - packed_[a]) & guard_) == guard_;
  }
  // values[a] = the least of values[b] over all b that a is within.
  void least_beyond(double* values) const;
  // values[b] = the least of values[a] over all a within b.
  void least_within(double* values) const;
  // Whether some tilings are left out: there are too many, and some primes move together.
  bool coarse() const { return coarse_; }

 private:
  struct Axis {
    std::int64_t stride, count;
  };
  std::size_t loops_, size_ = 1;
  bool coarse_ = false;
  std::vector<Axis> axes_;
  std::vector<std::int64_t> extents_;
  std::vector<unsigned __int128> packed_;
  unsigned __int128 guard_ = 0;
};

}  // namespace netwright::plan
