// Rows of fp32 into int8 activations (layouts: activation.hpp). Rounds as ggml's q8_0, q8_1 and q8_K do.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/activation.hpp"
#include "kernels/float_vector.hpp"
#include "kernels/quant_half.hpp"
#include "kernels/quant_table.hpp"

namespace netwright::NETWRIGHT_ISA {

// q[0..32) = nearest(x * factor); returns the sum of q.
NETWRIGHT_INLINE std::int32_t quantize_32(const float* x, float factor, std::int8_t* q) {
#if defined(__AVX2__)
  const __m256 f = _mm256_set1_ps(factor);
  const auto four = [x, f](int i) __attribute__((always_inline)) {
    return _mm256_cvtps_epi32(_mm256_round_ps(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), f), 0x08));
  };
  const __m256i low = _mm256_packs_epi32(four(0), four(1)), high = _mm256_packs_epi32(four(2), four(3));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), bytes);
  const __m256i wide = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes), _mm256_set1_epi16(1));
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
  sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
  return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 1)));
#else
  std::int32_t sum = 0;
  for (int i = 0; i < 32; ++i) {
    q[i] = nearest_int8(x[i] * factor);
    sum += q[i];
  }
  return sum;
#endif
}

NETWRIGHT_INLINE float largest_magnitude(const float* x, int count) {
  Vec largest{};
  for (int i = 0; i < count; i += kLanes) largest = max(abs(load(x + i)), largest);
  float best = 0.0f;
  for (int i = 0; i < kLanes; ++i) best = largest[i] > best ? largest[i] : best;
  return best;
}

NETWRIGHT_INLINE float through_half(float value) {
#if defined(__AVX2__)
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtps_ph(_mm_set_ss(value), 0)));
#else
  return half_to_float(float_to_half(value));
#endif
}

// x[first .. first + 32 * count) of a row of k, into the row's blocks.
NETWRIGHT_INLINE void quantize_blocks_32(const float* x, std::int64_t first, int count, std::byte* row, std::int64_t k) {
  for (int block = 0; block < count; ++block) {
    const std::int64_t index = first / 32 + block;
    const float amax = largest_magnitude(x + block * 32, 32);
    const float scale = amax / 127.0f;
    const auto q = reinterpret_cast<std::int8_t*>(row) + index * 32;
    const std::int32_t sum = quantize_32(x + block * 32, amax != 0.0f ? 127.0f / amax : 0.0f, q);
    const auto scales = reinterpret_cast<float*>(row + k);
    scales[index] = through_half(scale);
    reinterpret_cast<std::int32_t*>(scales + k / 32)[index] = sum;
    scales[k / 32 * 2 + index] = through_half(scale * static_cast<float>(sum));
  }
}

// The first element whose magnitude is the largest; 0 when there is none.
NETWRIGHT_INLINE float signed_largest(const float* x, int count) {
  const float amax = largest_magnitude(x, count);
  for (int i = 0; i < count; ++i)
    if (std::fabs(x[i]) == amax) return x[i];
  return 0.0f;
}

// x[first .. first + 256) of a row of k, into the row's block.
NETWRIGHT_INLINE void quantize_block_256(const float* x, std::int64_t first, std::byte* row, std::int64_t k) {
  const float largest = signed_largest(x, 256);
  const float factor = largest != 0.0f ? -127.0f / largest : 0.0f;
  const auto q = reinterpret_cast<std::int8_t*>(row) + first;
  const auto sums = reinterpret_cast<std::int16_t*>(row + k) + first / 16;
  for (int i = 0; i < 256; i += 32) {
    quantize_32(x + i, factor, q + i);
    for (int half = 0; half < 2; ++half) {
      int sum = 0;
      for (int j = 0; j < 16; ++j) sum += q[i + half * 16 + j];
      sums[i / 16 + half] = static_cast<std::int16_t>(sum);
    }
  }
  const auto scales = reinterpret_cast<float*>(row + k + k / 16 * 2);
  scales[first / 256] = largest != 0.0f ? 1.0f / factor : 0.0f;
}

// A multiple of 256 elements (or of 32, for act8x32) that starts at element `first` of its row.
NETWRIGHT_INLINE void quantize_piece(const float* x, std::int64_t first, int count, Format format, std::byte* row,
                                     std::int64_t k) {
  if (format == Format::act8x32) return quantize_blocks_32(x, first, count / 32, row, k);
  if (format == Format::lut4x256) {
    for (int i = 0; i < count; i += 256) {
      alignas(4) std::byte one[activation_row_bytes(Format::act8x256, 256)];
      quantize_block_256(x + i, 0, one, 256);
      const Activation256 block(one, 256);
      table_block_256(block.q, block.scale[0], (first + i) / 256, row, k);
    }
    return;
  }
  for (int i = 0; i < count; i += 256) quantize_block_256(x + i, first + i, row, k);
}

}  // namespace netwright::NETWRIGHT_ISA
