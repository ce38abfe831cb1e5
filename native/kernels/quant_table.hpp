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

// Of each of a block's groups: the sum of its negative ones, and of all.
struct GroupSums {
  std::int32_t negative[64];
  std::int32_t total[64];
};

NETWRIGHT_INLINE void sum_groups(const std::int8_t* q, GroupSums& sums) {
#if defined(__AVX2__)
  const __m256i one = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1);
  const auto put = [one, ones](std::int32_t* to, __m256i v) __attribute__((always_inline)) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_madd_epi16(_mm256_maddubs_epi16(one, v), ones));
  };
  for (int g = 0; g < 64; g += 8) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + 4 * g));
    put(sums.negative + g, _mm256_min_epi8(v, _mm256_setzero_si256()));
    put(sums.total + g, v);
  }
#else
  for (int g = 0; g < 64; ++g) {
    sums.negative[g] = sums.total[g] = 0;
    for (int j = 0; j < 4; ++j) {
      sums.negative[g] += q[4 * g + j] < 0 ? q[4 * g + j] : 0;
      sums.total[g] += q[4 * g + j];
    }
  }
#endif
}

// The low bytes of the sums of two groups.
NETWRIGHT_INLINE void entries_of(const std::int8_t* q, const std::int32_t* negative, std::uint8_t* entry) {
#if defined(__AVX2__)
  const auto eight = [](const void* at) __attribute__((always_inline)) {
    std::int64_t value;
    __builtin_memcpy(&value, at, 8);
    return _mm256_set1_epi64x(value);
  };
  const __m256i both = eight(q);
  const __m256i group = _mm256_setr_epi32(0, 0, 0, 0, 0x04040404, 0x04040404, 0x04040404, 0x04040404);
  const __m256i number = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  __m256i sum = _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_shuffle_epi8(eight(negative), group));
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
#if defined(__AVX2__)
  const __m256i number = _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m256i sum = _mm256_set1_epi16(static_cast<std::int16_t>(-negative));
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m256i bit = _mm256_set1_epi16(static_cast<std::int16_t>(1 << j));
    const __m256i chosen = _mm256_cmpeq_epi16(_mm256_and_si256(number, bit), bit);
    sum = _mm256_add_epi16(sum, _mm256_and_si256(_mm256_set1_epi16(q[j]), chosen));
  }
  const __m256i above = _mm256_cmpgt_epi16(sum, _mm256_set1_epi16(255));
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(above), _mm256_extracti128_si256(above, 1));
  return static_cast<std::uint16_t>(_mm_movemask_epi8(bytes));
#else
  std::uint32_t bits = 0;
  for (int i = 0; i < 16; ++i) {
    int sum = -negative;
    for (int j = 0; j < 4; ++j) sum += i >> j & 1 ? q[j] : 0;
    bits |= static_cast<std::uint32_t>(sum > 255) << i;
  }
  return static_cast<std::uint16_t>(bits);
#endif
}

// Block `block` of a row of k, from its 256 int8 activations and their scale.
NETWRIGHT_INLINE void table_block_256(const std::int8_t* q, float scale, std::int64_t block, std::byte* row, std::int64_t k) {
  const auto entry = reinterpret_cast<std::uint8_t*>(row) + block * 1024;
  const auto high = reinterpret_cast<std::uint16_t*>(row + k * 4) + block * 64;
  const auto wide = reinterpret_cast<std::uint32_t*>(row + k * 4 + k / 2);
  const auto base = reinterpret_cast<std::int32_t*>(wide + k / 256 * 2);
  GroupSums sums;
  sum_groups(q, sums);
  std::uint32_t pairs = 0;
  std::int32_t least = 0, total = 0;
  for (int pair = 0; pair < 32; ++pair) entries_of(q + 8 * pair, sums.negative + 2 * pair, entry + 32 * pair);
  for (int g = 0; g < 64; ++g) {
    const bool above = sums.total[g] - 2 * sums.negative[g] > 255;
    high[g] = above ? too_large(q + 4 * g, sums.negative[g]) : std::uint16_t{0};
    pairs |= static_cast<std::uint32_t>(above) << g / 2;
    least += sums.negative[g];
    total += sums.total[g];
  }
  wide[block] = pairs;
  reinterpret_cast<float*>(wide + k / 256)[block] = scale;
  base[block] = least;
  base[k / 256 + block] = total;
}

}  // namespace netwright::NETWRIGHT_ISA
