// Eight fp32 lanes, spelled once: AVX2 and FMA in *_avx2.cpp files, plain x86-64 (or any machine) elsewhere.
// Everything lives in a namespace named after the instruction set, so the two never share a symbol.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#define NETWRIGHT_ISA avx2
#else
#define NETWRIGHT_ISA baseline
#endif
#define NETWRIGHT_INLINE inline __attribute__((always_inline))

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors never cross a call: everything here is inlined

namespace netwright::NETWRIGHT_ISA {

inline constexpr int kLanes = 8;
using Vec = float __attribute__((vector_size(32)));
using IntVec = std::int32_t __attribute__((vector_size(32)));

NETWRIGHT_INLINE Vec splat(float value) { return Vec{value, value, value, value, value, value, value, value}; }
NETWRIGHT_INLINE Vec load(const float* from) {
  Vec value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
NETWRIGHT_INLINE void store(float* to, Vec value) { std::memcpy(to, &value, sizeof value); }
NETWRIGHT_INLINE Vec as_float(IntVec bits) { return reinterpret_cast<Vec>(bits); }
NETWRIGHT_INLINE IntVec as_bits(Vec value) { return reinterpret_cast<IntVec>(value); }
NETWRIGHT_INLINE IntVec to_int(Vec value) { return __builtin_convertvector(value, IntVec); }
NETWRIGHT_INLINE Vec to_float(IntVec value) { return __builtin_convertvector(value, Vec); }
// `mask` lanes are all ones or all zeros, as vector comparisons give them.
NETWRIGHT_INLINE Vec select(IntVec mask, Vec yes, Vec no) {
  return as_float((mask & as_bits(yes)) | (~mask & as_bits(no)));
}
NETWRIGHT_INLINE Vec abs(Vec value) { return as_float(as_bits(value) & 0x7fffffff); }

// The first `count` lanes; the rest are `fill`. Never touches memory beyond them.
#if defined(__AVX2__)
NETWRIGHT_INLINE Vec load_part(const float* from, int count, float fill = 0.0f) {
  const IntVec inside = IntVec{0, 1, 2, 3, 4, 5, 6, 7} < count;
  return select(inside, Vec(_mm256_maskload_ps(from, __m256i(inside))), splat(fill));
}
// Three plain stores at most: a masked store takes many times as long on some processors.
NETWRIGHT_INLINE void store_part(float* to, Vec value, int count) {
  if (count >= kLanes) return store(to, value);
  if (count <= 0) return;
  __m128 rest = _mm256_castps256_ps128(__m256(value));
  if (count & 4) {
    _mm_storeu_ps(to, rest);
    rest = _mm256_extractf128_ps(__m256(value), 1), to += 4;
  }
  if (count & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(to), rest);
    rest = _mm_movehl_ps(rest, rest), to += 2;
  }
  if (count & 1) _mm_store_ss(to, rest);
}
#else
NETWRIGHT_INLINE Vec load_part(const float* from, int count, float fill = 0.0f) {
  float lane[kLanes];
  for (int i = 0; i < kLanes; ++i) lane[i] = i < count ? from[i] : fill;
  return load(lane);
}
NETWRIGHT_INLINE void store_part(float* to, Vec value, int count) {
  float lane[kLanes];
  store(lane, value);
  for (int i = 0; i < count; ++i) to[i] = lane[i];
}
#endif

#if defined(__AVX2__)
// a * b + c, rounded once here and twice in the baseline form.
NETWRIGHT_INLINE Vec fma(Vec a, Vec b, Vec c) { return Vec(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c))); }
// When either is NaN the result is `b`, as maxps has it.
NETWRIGHT_INLINE Vec max(Vec a, Vec b) { return Vec(_mm256_max_ps(__m256(a), __m256(b))); }
NETWRIGHT_INLINE Vec min(Vec a, Vec b) { return Vec(_mm256_min_ps(__m256(a), __m256(b))); }
NETWRIGHT_INLINE Vec round_even(Vec a) { return Vec(_mm256_round_ps(__m256(a), 0x08)); }
NETWRIGHT_INLINE Vec floor(Vec a) { return Vec(_mm256_round_ps(__m256(a), 0x09)); }
NETWRIGHT_INLINE Vec ceil(Vec a) { return Vec(_mm256_round_ps(__m256(a), 0x0a)); }
NETWRIGHT_INLINE Vec sqrt(Vec a) { return Vec(_mm256_sqrt_ps(__m256(a))); }
#else
NETWRIGHT_INLINE Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
NETWRIGHT_INLINE Vec max(Vec a, Vec b) { return select(a > b, a, b); }
NETWRIGHT_INLINE Vec min(Vec a, Vec b) { return select(a < b, a, b); }
template <class Scalar>
NETWRIGHT_INLINE Vec each_lane(Vec a, Scalar scalar) {
  for (int i = 0; i < kLanes; ++i) a[i] = scalar(a[i]);
  return a;
}
NETWRIGHT_INLINE Vec round_even(Vec a) { return each_lane(a, [](float x) { return std::nearbyint(x); }); }
NETWRIGHT_INLINE Vec floor(Vec a) { return each_lane(a, [](float x) { return std::floor(x); }); }
NETWRIGHT_INLINE Vec ceil(Vec a) { return each_lane(a, [](float x) { return std::ceil(x); }); }
NETWRIGHT_INLINE Vec sqrt(Vec a) { return each_lane(a, [](float x) { return std::sqrt(x); }); }
#endif

// Lanes are folded in one fixed order, so a sum does not depend on who computed it.
NETWRIGHT_INLINE float sum_lanes(Vec a) {
  return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}
NETWRIGHT_INLINE float max_lanes(Vec a) {
  float best = a[0];
  for (int i = 1; i < kLanes; ++i) best = a[i] > best || a[i] != a[i] ? a[i] : best;
  return best;
}

}  // namespace netwright::NETWRIGHT_ISA
