// Loads and stores of fp16, and angles in double, on the lanes of float_vector.hpp.
#pragma once

#include "kernels/float_vector.hpp"
#include "kernels/quant_half.hpp"

namespace netwright::NETWRIGHT_ISA {

NETWRIGHT_INLINE Vec load_half(const std::uint16_t* from) {
#if defined(__AVX2__)
  return Vec(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#else
  Vec value{};
  for (int i = 0; i < kLanes; ++i) value[i] = half_to_float(from[i]);
  return value;
#endif
}

NETWRIGHT_INLINE void store_half(std::uint16_t* to, Vec value) {
#if defined(__AVX2__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph(__m256(value), 0));
#else
  for (int i = 0; i < kLanes; ++i) to[i] = float_to_half(value[i]);
#endif
}

// Eight fp32 from fp32 (kHalf false) or fp16, at most `count` of them; the rest are zero.
template <bool kHalf>
NETWRIGHT_INLINE Vec load_either(const std::byte* from, std::int64_t index, std::int64_t count) {
  if constexpr (kHalf) {
    const auto at = reinterpret_cast<const std::uint16_t*>(from) + index;
    if (count >= kLanes) return load_half(at);
    std::uint16_t part[kLanes] = {};
    for (int i = 0; i < count; ++i) part[i] = at[i];
    return load_half(part);
  } else {
    const auto at = reinterpret_cast<const float*>(from) + index;
    return count >= kLanes ? load(at) : load_part(at, static_cast<int>(count));
  }
}

// Four doubles; sums and products only, so that both instruction sets give the same bits.
using Doubles = double __attribute__((vector_size(32)));
using Longs = std::int64_t __attribute__((vector_size(32)));

NETWRIGHT_INLINE Doubles spread_double(double value) { return Doubles{} + value; }
// Nearest whole number, for magnitudes under 2^51.
NETWRIGHT_INLINE Doubles nearest(Doubles x) { return (x + 0x1.8p52) - 0x1.8p52; }
NETWRIGHT_INLINE Longs whole(Doubles n) { return reinterpret_cast<Longs>(n + 0x1.8p52) - reinterpret_cast<Longs>(spread_double(0x1.8p52)); }

NETWRIGHT_INLINE Doubles series(Doubles, Doubles sum) { return sum; }
template <class... Rest>
NETWRIGHT_INLINE Doubles series(Doubles x, Doubles sum, double next, Rest... rest) {
  return series(x, sum * x + next, rest...);
}

// 2^x for |x| < 1000; relative error below 1e-14 (Taylor series of e^(r ln 2), |r| <= 1/2).
NETWRIGHT_INLINE Doubles power_of_two(Doubles x) {
  const Doubles n = nearest(x);
  const Doubles r = (x - n) * 0.693147180559945309417;
  const Doubles p = series(r, spread_double(1.0 / 6227020800), 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
                           1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0);
  return p * reinterpret_cast<Doubles>((whole(n) + 1023) << 52);
}

struct Angle {
  Doubles cosine, sine;
};

// Absolute error below 1e-12 for |x| < 1e6 (reduction and polynomials of fdlibm's k_sin.c, k_cos.c).
NETWRIGHT_INLINE Angle angle(Doubles x) {
  const Doubles n = nearest(x * 0.636619772367581343076);
  const Doubles r = (x - n * 1.57079632673412561417e+00) - n * 6.07710050650619224932e-11;
  const Doubles z = r * r;
  const Doubles s = r + r * z * series(z, spread_double(1.58969099521155010221e-10), -2.50507602534068634195e-08,
                                       2.75573137070700676789e-06, -1.98412698298579493134e-04,
                                       8.33333333332248946124e-03, -1.66666666666666324348e-01);
  const Doubles c = 1.0 - z * 0.5 + z * z * series(z, spread_double(-1.13596475577881948265e-11), 2.08757232129817482790e-09,
                                                   -2.75573143513906633035e-07, 2.48015872894767294178e-05,
                                                   -1.38888888888741095749e-03, 4.16666666666666019037e-02);
  const Longs quarter = whole(n);
  const Longs odd = -(quarter & 1);
  const auto pick = [odd](Doubles even, Doubles other) __attribute__((always_inline)) {
    return (reinterpret_cast<Longs>(even) & ~odd) | (reinterpret_cast<Longs>(other) & odd);
  };
  const Longs sine = pick(s, c) ^ ((quarter & 2) << 62);
  const Longs cosine = pick(c, s) ^ (((quarter + 1) & 2) << 62);
  return {reinterpret_cast<Doubles>(cosine), reinterpret_cast<Doubles>(sine)};
}

}  // namespace netwright::NETWRIGHT_ISA
