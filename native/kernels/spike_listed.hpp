// The spikes among numbers: which are not zero, in order, and what they are.
#pragma once

#include <algorithm>

#include "kernels/float_vector.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

struct Listed {
  std::int64_t count;
  bool ones;  // every one of them is 1
};

// `list` and `factor` have room for `count` numbers.
inline Listed listed_values(const float* from, std::int64_t count, std::int32_t* list, float* factor) {
  Listed found{0, true};
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const int part = int(std::min<std::int64_t>(kLanes, count - i));
    const IntVec some = part == kLanes ? IntVec(load(from + i) != Vec{}) : IntVec(load_part(from + i, part) != Vec{});
    unsigned bits = 0;
#if defined(__AVX2__)
    bits = static_cast<unsigned>(_mm256_movemask_ps(__m256(as_float(some))));
#else
    for (int lane = 0; lane < kLanes; ++lane) bits |= (static_cast<std::uint32_t>(some[lane]) >> 31) << lane;
#endif
    for (; bits; bits &= bits - 1, ++found.count) {
      list[found.count] = static_cast<std::int32_t>(i + __builtin_ctz(bits));
      factor[found.count] = from[list[found.count]];
      found.ones &= factor[found.count] == 1.0f;
    }
  }
  return found;
}

}  // namespace
}  // namespace netwright::NETWRIGHT_ISA
