// Int8 activations into tables of the sums of four neighbours (lut4x256: activation.hpp).
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

// The sum of the negative ones of four.
NETWRIGHT_INLINE int negatives(const std::int8_t* q) {
  int sum = 0;
  for (int j = 0; j < 4; ++j) sum += q[j] < 0 ? q[j] : 0;
  return sum;
}

// The low bytes of the sums of two groups.
NETWRIGHT_INLINE void entries_of(const std::int8_t* q, const int (&negative)[2], std::uint8_t* entry) {
#if defined(__AVX2__)
  std::int64_t eight;
  __builtin_memcpy(&eight, q, 8);
  const __m256i both = _mm256_set1_epi64x(eight);
  const __m256i group = _mm256_setr_epi32(0, 0, 0, 0, 0x04040404, 0x04040404, 0x04040404, 0x04040404);
  const __m256i number = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const auto low = static_cast<char>(-negative[0]), high = static_cast<char>(-negative[1]);
  __m256i sum = _mm256_set_m128i(_mm_set1_epi8(high), _mm_set1_epi8(low));
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m256i bit = _mm256_set1_epi8(static_cast<char>(1 << j));
    const __m256i chosen = _mm256_cmpeq_epi8(_mm256_and_si256(number, bit), bit);
    const __m256i one = _mm256_shuffle_epi8(both, _mm256_add_epi8(group, _mm256_set1_epi8(static_cast<char>(j))));
    sum = _mm256_add_epi8(sum, _mm256_and_si256(one, chosen));
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(entry), sum);
#else
  for (int g = 0; g < 2; ++g)
    for (int i = 0; i < 16; ++i) {
      int sum = -negative[g];
      for (int j = 0; j < 4; ++j) sum += i >> j & 1 ? q[4 * g + j] : 0;
      entry[16 * g + i] = static_cast<std::uint8_t>(sum);
    }
#endif
}

// Which of the 16 sums of a group do not fit a byte.
NETWRIGHT_INLINE std::uint16_t too_large(const std::int8_t* q, int negative) {
  std::uint32_t bits = 0;
  for (int i = 0; i < 16; ++i) {
    int sum = -negative;
    for (int j = 0; j < 4; ++j) sum += i >> j & 1 ? q[j] : 0;
    bits |= static_cast<std::uint32_t>(sum > 255) << i;
  }
  return static_cast<std::uint16_t>(bits);
}

// Block `block` of a row of k, from its 256 int8 activations and their scale.
NETWRIGHT_INLINE void table_block_256(const std::int8_t* q, float scale, std::int64_t block, std::byte* row, std::int64_t k) {
  const auto entry = reinterpret_cast<std::uint8_t*>(row) + block * 1024;
  const auto high = reinterpret_cast<std::uint16_t*>(row + k * 4) + block * 64;
  const auto wide = reinterpret_cast<std::uint32_t*>(row + k * 4 + k / 2);
  const auto base = reinterpret_cast<std::int32_t*>(wide + k / 256 * 2);
  std::uint32_t pairs = 0;
  std::int32_t least = 0, total = 0;
  for (int pair = 0; pair < 32; ++pair, q += 8) {
    const int negative[2] = {negatives(q), negatives(q + 4)};
    entries_of(q, negative, entry + pair * 32);
    for (int g = 0; g < 2; ++g) {
      const std::int8_t* four = q + 4 * g;
      const int sum = four[0] + four[1] + four[2] + four[3];
      high[2 * pair + g] = sum - 2 * negative[g] > 255 ? too_large(four, negative[g]) : std::uint16_t{0};
      pairs |= static_cast<std::uint32_t>(high[2 * pair + g] != 0) << pair;
      least += negative[g];
      total += sum;
    }
  }
  wide[block] = pairs;
  reinterpret_cast<float*>(wide + k / 256)[block] = scale;
  base[block] = least;
  base[k / 256 + block] = total;
}

}  // namespace netwright::NETWRIGHT_ISA
