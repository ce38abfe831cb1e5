// Rows of floats by whole vectors and a rest.
#pragma once

#include <type_traits>

#include "kernels/float_vector.hpp"

namespace netwright::NETWRIGHT_ISA {

// Calls each(i, lanes) over [0, count): whole vectors with a constant, then the rest.
template <class Each>
NETWRIGHT_INLINE void each_vector(std::int64_t count, Each&& each) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) each(i, std::integral_constant<int, kLanes>{});
  if (i < count) each(i, int(count - i));
}
NETWRIGHT_INLINE Vec read(const float* from, std::integral_constant<int, kLanes>, float = 0.0f) { return load(from); }
NETWRIGHT_INLINE Vec read(const float* from, int lanes, float fill = 0.0f) { return load_part(from, lanes, fill); }
NETWRIGHT_INLINE void write(float* to, Vec value, std::integral_constant<int, kLanes>) { store(to, value); }
NETWRIGHT_INLINE void write(float* to, Vec value, int lanes) { store_part(to, value, lanes); }

}  // namespace netwright::NETWRIGHT_ISA
