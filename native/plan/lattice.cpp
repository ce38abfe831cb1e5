#include "plan/lattice.hpp"

#include <algorithm>

namespace netwright::plan {
namespace {

struct Prime {
  std::size_t loop;
  std::int64_t prime;
  std::int64_t power;
};

// Bits of one coordinate in a packed point: 7 of its power and one of guard.
constexpr int kFieldBits = 8;
constexpr std::size_t kMostAxes = 128 / kFieldBits;

constexpr std::size_t kMostPoints = 1 << 16;

std::size_t points(const std::vector<Prime>& primes) {
  std::size_t total = 1;
  for (const Prime& one : primes) total *= static_cast<std::size_t>(one.power + 1);
  return total;
}

bool coarsen(std::vector<Prime>* primes) {
  if (primes->size() <= kMostAxes) {
    auto most = std::max_element(primes->begin(), primes->end(), [](const Prime& a, const Prime& b) { return a.power < b.power; });
    if (most->power >= 2) {
      if (most->power % 2) primes->push_back({most->loop, most->prime, 1});
      most = std::max_element(primes->begin(), primes->end(), [](const Prime& a, const Prime& b) { return a.power < b.power; });
      most->prime *= most->prime;
      most->power /= 2;
      return true;
    }
  }
  for (auto one = primes->begin(); one != primes->end(); ++one) {
    for (auto other = one + 1; other != primes->end(); ++other) {
      if (other->loop != one->loop) continue;
      Prime whole{one->loop, 1, 1};
      for (std::int64_t i = 0; i < one->power; ++i) whole.prime *= one->prime;
      for (std::int64_t i = 0; i < other->power; ++i) whole.prime *= other->prime;
      primes->erase(other);
      *one = whole;
      return true;
    }
  }
  return false;
}

std::vector<Prime> primes_of(const std::vector<std::int64_t>& turns, bool* coarse) {
  std::vector<Prime> found;
  for (std::size_t loop = 0; loop < turns.size(); ++loop) {
    std::int64_t left = turns[loop];
    for (std::int64_t prime = 2; prime * prime <= left; ++prime) {
      std::int64_t power = 0;
      for (; left % prime == 0; left /= prime) ++power;
      if (power) found.push_back({loop, prime, power});
    }
    if (left > 1) found.push_back({loop, left, 1});
  }
  // More primes than fit in a packed point, or more points than are worth a visit: two primes of one
  // loop move as one step, or a prime moves by its square.
  while (found.size() > kMostAxes || points(found) > kMostPoints)
    if (*coarse = true; !coarsen(&found)) break;
  return found;
}

// Along one axis rows of `stride` values follow each other.
void least_of_row(double* __restrict into, const double* __restrict from, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) into[i] = std::min(into[i], from[i]);
}

}  // namespace

Lattice::Lattice(const std::vector<std::int64_t>& turns) : loops_(turns.size()) {
  const std::vector<Prime> primes = primes_of(turns, &coarse_);
  for (const Prime& one : primes) {
    axes_.push_back({static_cast<std::int64_t>(size_), one.power + 1});
    size_ *= static_cast<std::size_t>(one.power + 1);
  }
  extents_.assign(size_ * loops_, 1);
  packed_.assign(size_, 0);
  for (std::size_t axis = 0; axis < axes_.size(); ++axis)
    guard_ |= static_cast<unsigned __int128>(0x80) << (kFieldBits * axis);
  for (std::size_t point = 0; point < size_; ++point) {
    for (std::size_t axis = 0; axis < axes_.size(); ++axis) {
      const auto power = static_cast<std::int64_t>(point) / axes_[axis].stride % axes_[axis].count;
      packed_[point] |= static_cast<unsigned __int128>(power) << (kFieldBits * axis);
      for (std::int64_t i = 0; i < power; ++i) extents_[point * loops_ + primes[axis].loop] *= primes[axis].prime;
    }
  }
}

void Lattice::least_beyond(double* values) const {
  for (const Axis& axis : axes_) {
    const auto stride = static_cast<std::size_t>(axis.stride), block = stride * static_cast<std::size_t>(axis.count);
    for (std::size_t begin = 0; begin < size_; begin += block)
      for (std::size_t row = begin + block - stride; row > begin; row -= stride) least_of_row(&values[row - stride], &values[row], stride);
  }
}

void Lattice::least_within(double* values) const {
  for (const Axis& axis : axes_) {
    const auto stride = static_cast<std::size_t>(axis.stride), block = stride * static_cast<std::size_t>(axis.count);
    for (std::size_t begin = 0; begin < size_; begin += block)
      for (std::size_t row = begin + stride; row < begin + block; row += stride) least_of_row(&values[row], &values[row - stride], stride);
  }
}

}  // namespace netwright::plan
