// matmul_codes on AVX2: a byte shuffle looks up 32 products; bytes are added up for as long as none can overflow.
#if defined(__AVX2__)
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/float_function.hpp"
#include "kernels/float_vector.hpp"
#include "kernels/quant_codes.hpp"
#include "kernels/quant_opcodes.hpp"

namespace netwright::avx2 {
namespace {

inline constexpr std::int64_t kAheadBytes = 2048;

NETWRIGHT_INLINE __m256i vector_at(const std::uint8_t* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }

constexpr std::int64_t vectors_of(std::int64_t inputs) { return (inputs + 31) / 32; }

// Rows of x side by side with nothing but their two bits, filled with code 0 to whole vectors.
void lay_out(const CodesProduct& product, std::int64_t first, std::int64_t count) {
  const std::int64_t padded = vectors_of(product.k) * 32, stride = codes_blocks(product.k) * kCodesBlock;
  const __m256i two = _mm256_set1_epi8(3);
  for (std::int64_t t = 0; t < count; ++t) {
    const std::uint8_t* from = product.x + (first + t) * product.x_stride;
    std::uint8_t* to = product.workspace + t * stride;
    std::int64_t k = 0;
    for (; k + 32 <= product.k; k += 32)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + k), _mm256_and_si256(vector_at(from + k), two));
    for (; k < product.k; ++k) to[k] = from[k] & 3;
    std::memset(to + k, 0, static_cast<std::size_t>(padded - k));
  }
}

// The codes at bits 2 and 3 of every byte: an index less the activation's code.
template <int kField>
NETWRIGHT_INLINE __m256i field(__m256i raw) {
  const __m256i mask = _mm256_set1_epi8(0x0C);
  if constexpr (kField == 0) return _mm256_and_si256(_mm256_slli_epi16(raw, 2), mask);
  if constexpr (kField == 1) return _mm256_and_si256(raw, mask);
  if constexpr (kField == 2) return _mm256_and_si256(_mm256_srli_epi16(raw, 2), mask);
  return _mm256_and_si256(_mm256_srli_epi16(raw, 4), mask);
}

// Sums of kTokens rows of the workspace with one row of weights: bytes, and what has been taken out of them.
template <int kTokens>
struct Sums {
  __m256i bytes[kTokens], words[kTokens];

  NETWRIGHT_INLINE void widen() {
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      words[t] = _mm256_add_epi64(words[t], _mm256_sad_epu8(bytes[t], _mm256_setzero_si256()));
      bytes[t] = _mm256_setzero_si256();
    }
  }

  template <bool kWide>
  NETWRIGHT_INLINE void add(__m256i table, __m256i weight, const std::uint8_t* x, std::int64_t x_stride) {
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      const __m256i found = _mm256_shuffle_epi8(table, _mm256_or_si256(weight, vector_at(x + t * x_stride)));
      bytes[t] = _mm256_add_epi8(bytes[t], found);
    }
    if constexpr (kWide) widen();
  }
};

// kWide: products differ by so much that four of them may leave a byte; `run` is the blocks that surely do not.
template <int kTokens, bool kWide>
NETWRIGHT_INLINE __m128i row_times(const CodesProduct& product, const std::uint8_t* row, __m256i table, std::int64_t run) {
  const std::int64_t blocks = product.k / kCodesBlock, stride = codes_blocks(product.k) * kCodesBlock;
  const std::uint8_t* x = product.workspace;
  Sums<kTokens> sums;
  for (int t = 0; t < kTokens; ++t) sums.bytes[t] = sums.words[t] = _mm256_setzero_si256();
  for (std::int64_t block = 0; block < blocks;) {
    for (const std::int64_t stop = std::min(blocks, block + run); block < stop; ++block, x += kCodesBlock, row += kCodesBlockBytes) {
      const __m256i raw = vector_at(row);
      _mm_prefetch(reinterpret_cast<const char*>(row + kAheadBytes), _MM_HINT_T0);
      sums.template add<kWide>(table, field<0>(raw), x, stride);
      sums.template add<kWide>(table, field<1>(raw), x + 32, stride);
      sums.template add<kWide>(table, field<2>(raw), x + 64, stride);
      sums.template add<kWide>(table, field<3>(raw), x + 96, stride);
    }
    sums.widen();
  }
  if (const std::int64_t rest = vectors_of(product.k) - 4 * blocks; rest > 0) {
    const __m256i raw = vector_at(row);
    sums.template add<kWide>(table, field<0>(raw), x, stride);
    if (rest > 1) sums.template add<kWide>(table, field<1>(raw), x + 32, stride);
    if (rest > 2) sums.template add<kWide>(table, field<2>(raw), x + 64, stride);
    if (rest > 3) sums.template add<kWide>(table, field<3>(raw), x + 96, stride);
    sums.widen();
  }
  // Four sums of four 64-bit lanes, each below 2^31.
  __m256i all[4];
  for (int t = 0; t < 4; ++t) all[t] = t < kTokens ? sums.words[t] : _mm256_setzero_si256();
  const __m256i low = _mm256_or_si256(all[0], _mm256_slli_epi64(all[1], 32)), high = _mm256_or_si256(all[2], _mm256_slli_epi64(all[3], 32));
  const __m256i two = _mm256_add_epi32(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
  return _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
}

template <int kTokens, bool kWide>
void turn(const CodesProduct& product, std::int64_t first, std::int64_t begin, std::int64_t end) {
  const std::int64_t padded = vectors_of(product.k) * 32, run = kWide || product.range == 0 ? 1 : 255 / (4 * product.range);
  const __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(product.entry)));
  // What entries were raised by, less what the filled places added.
  const std::int64_t raised = product.k * product.least - (padded - product.k) * product.entry[0];
  const __m128i offset = _mm_set1_epi32(static_cast<std::int32_t>(raised));
  float* out = product.out + first * product.out_stride;
  const std::uint8_t* row = product.weight + begin * codes_row_bytes(product.k);
  for (std::int64_t n = begin; n < end; ++n, row += codes_row_bytes(product.k)) {
    const __m128i sum = _mm_add_epi32(row_times<kTokens, kWide>(product, row, table, run), offset);
    const __m128 bias = _mm_set1_ps(product.bias == nullptr ? 0.0f : product.bias[n]);
    float value[4];
    _mm_storeu_ps(value, _mm_fmadd_ps(_mm_cvtepi32_ps(sum), _mm_set1_ps(product.scale[n]), bias));
    for (int t = 0; t < kTokens; ++t) out[t * product.out_stride + n] = value[t];
  }
}

template <bool kWide>
void rows_of(const CodesProduct& product, std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) {
  for (std::int64_t t = first; t < last; t += kCodesTokens) {
    const std::int64_t count = std::min(kCodesTokens, last - t);
    lay_out(product, t, count);
    switch (count) {
      case 1: turn<1, kWide>(product, t, begin, end); break;
      case 2: turn<2, kWide>(product, t, begin, end); break;
      case 3: turn<3, kWide>(product, t, begin, end); break;
      default: turn<4, kWide>(product, t, begin, end);
    }
  }
}

void rows(const CodesProduct& product, std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) {
  (4 * product.range > 255 ? rows_of<true> : rows_of<false>)(product, first, last, begin, end);
}

}  // namespace

void matmul_codes(const Call& call) {
  codes_multiply(call, rows, function_loop(static_cast<Function>(call.parameter[4])));
}

}  // namespace netwright::avx2
#endif
