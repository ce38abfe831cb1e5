// Rows of fp32 into tables of signed sums of four neighbours (lut4x256: activation.hpp).
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/activation.hpp"
#include "kernels/float_vector.hpp"

namespace netwright::NETWRIGHT_ISA {

// Nearest even; what does not fit (only NaN, and infinity times zero) is -128, as cvtps2dq and packs have it.
NETWRIGHT_INLINE std::int8_t nearest_int8(float value) {
  const float rounded = std::nearbyint(value);
  return rounded >= -128.0f && rounded <= 127.0f ? static_cast<std::int8_t>(rounded) : std::int8_t{-128};
}

// The 16 entries of four activations.
NETWRIGHT_INLINE void table_of(const float* a, float factor, std::uint8_t* entry) {
#if defined(__AVX2__)
  // Bit j of an entry's number clear: the sign of a_j is turned. The upper eight entries differ in a_3's sign alone.
  const __m256 minus = _mm256_set1_ps(-0.0f), f = _mm256_set1_ps(factor);
  const __m256 first = _mm256_setr_ps(-0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f, 0);
  const __m256 second = _mm256_setr_ps(-0.0f, -0.0f, 0, 0, -0.0f, -0.0f, 0, 0);
  const __m256 third = _mm256_setr_ps(-0.0f, -0.0f, -0.0f, -0.0f, 0, 0, 0, 0);
  __m256 sum = _mm256_add_ps(_mm256_xor_ps(_mm256_set1_ps(a[0]), first), _mm256_xor_ps(_mm256_set1_ps(a[1]), second));
  sum = _mm256_add_ps(sum, _mm256_xor_ps(_mm256_set1_ps(a[2]), third));
  const __m256 last = _mm256_set1_ps(a[3]);
  const __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_add_ps(sum, _mm256_xor_ps(last, minus)), f));
  const __m256i high = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_add_ps(sum, last), f));
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  const __m128i offset = _mm_set1_epi8(static_cast<char>(128));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(entry), _mm_xor_si128(bytes, offset));
#else
  for (int i = 0; i < 16; ++i) {
    const auto one = [a, i](int j) { return i >> j & 1 ? a[j] : -a[j]; };
    const float sum = ((one(0) + one(1)) + one(2)) + one(3);
    entry[i] = static_cast<std::uint8_t>(nearest_int8(sum * factor) + 128);
  }
#endif
}

// x[first .. first + 256) of a row of k, into the row's tables.
NETWRIGHT_INLINE void table_block_256(const float* x, std::int64_t first, std::byte* row, std::int64_t k) {
  float largest = 0.0f, sum = 0.0f;
  for (int i = 0; i < 256; i += 4) {
    const float* a = x + i;
    const float size = ((std::fabs(a[0]) + std::fabs(a[1])) + std::fabs(a[2])) + std::fabs(a[3]);
    largest = size > largest ? size : largest;
    sum += ((a[0] + a[1]) + a[2]) + a[3];
  }
  const float factor = largest != 0.0f ? 127.0f / largest : 0.0f;
  const auto entries = reinterpret_cast<std::uint8_t*>(row) + first * 4;
  for (int i = 0; i < 256; i += 4) table_of(x + i, factor, entries + i * 4);
  const auto scales = reinterpret_cast<float*>(row + k * 4);
  scales[first / 256] = largest / 127.0f;
  scales[k / 256 + first / 256] = sum;
}

}  // namespace netwright::NETWRIGHT_ISA
