// matmul_lookup on AVX2: a byte shuffle looks up 32 sums; two planes at a time are added up by one multiply-add.
#if defined(__AVX2__)
#include <algorithm>

#include "kernels/activation.hpp"
#include "kernels/float_function.hpp"
#include "kernels/float_vector.hpp"
#include "kernels/quant_lookup.hpp"
#include "kernels/quant_opcodes.hpp"

namespace netwright::avx2 {
namespace {

inline constexpr std::int64_t kAheadBytes = 4096;  // a tile is one stream; the processor's prefetcher ends at a page

NETWRIGHT_INLINE __m256i vector_at(const std::uint8_t* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }
NETWRIGHT_INLINE __m256i table_at(const std::uint8_t* at) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}

// The sums of 32 rows over one block, in int16: no sum of two planes exceeds 3 * 64 * 255.
template <int kBits>
struct PlaneSums {
  static constexpr int kPairs = kBits / 2;
  __m256i pair[kPairs + 1][2];
  __m256i all, odd;  // of a last plane alone: both bytes of a word together, and the odd ones

  NETWRIGHT_INLINE PlaneSums() {
    for (auto& each : pair) each[0] = each[1] = _mm256_setzero_si256();
    all = odd = _mm256_setzero_si256();
  }

  // One pair of groups: kBits vectors.
  NETWRIGHT_INLINE void add(const std::uint8_t* at, __m256i even_table, __m256i odd_table) {
    const __m256i low = _mm256_set1_epi8(15), powers = _mm256_set1_epi16(0x0201);
#pragma GCC unroll 2
    for (int p = 0; p < kPairs; ++p)
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) {
        const __m256i raw = vector_at(at + (2 * p + v) * 32);
        const __m256i a = _mm256_shuffle_epi8(even_table, _mm256_and_si256(raw, low));
        const __m256i b = _mm256_shuffle_epi8(odd_table, _mm256_and_si256(_mm256_srli_epi16(raw, 4), low));
        pair[p][v] = _mm256_add_epi16(pair[p][v], _mm256_add_epi16(_mm256_maddubs_epi16(a, powers), _mm256_maddubs_epi16(b, powers)));
      }
    if constexpr (kBits % 2 == 1) {
      const __m256i raw = vector_at(at + (kBits - 1) * 32);
      const __m256i a = _mm256_shuffle_epi8(even_table, _mm256_and_si256(raw, low));
      const __m256i b = _mm256_shuffle_epi8(odd_table, _mm256_and_si256(_mm256_srli_epi16(raw, 4), low));
      all = _mm256_add_epi16(all, _mm256_add_epi16(a, b));
      odd = _mm256_add_epi16(odd, _mm256_add_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8)));
    }
  }

  // Rows 16 v .. 16 v + 15 as two vectors of int32.
  NETWRIGHT_INLINE void total(int v, __m256i (&rows)[2]) const {
    rows[0] = rows[1] = _mm256_setzero_si256();
    const auto put = [&rows](__m256i words, int shift) __attribute__((always_inline)) {
      const __m256i low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(words));
      const __m256i high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(words, 1));
      rows[0] = _mm256_add_epi32(rows[0], _mm256_slli_epi32(low, shift));
      rows[1] = _mm256_add_epi32(rows[1], _mm256_slli_epi32(high, shift));
    };
    for (int p = 0; p < kPairs; ++p) put(pair[p][v], 2 * p);
    if constexpr (kBits % 2 == 1) put(v == 0 ? _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8)) : odd, kBits - 1);
  }
};

template <int kBits>
void tile_times(const LookupProduct& product, const std::uint8_t* at, std::int64_t t, float* out) {
  const QuantProduct& plain = product.plain;
  const ActivationTables x(plain.x + t * plain.x_stride, plain.k);
  const __m256i zeros = _mm256_set1_epi32(128 * 64 * ((1 << kBits) - 1));
  __m256 sum[4];
  for (auto& each : sum) each = _mm256_setzero_ps();
  for (std::int64_t block = 0; block < plain.k / kLookupBlock; ++block, at += lookup_block_bytes(kBits)) {
    PlaneSums<kBits> sums;
    const std::uint8_t *planes = at + 2 * kLookupRows, *entry = x.entry + block * 1024;
#pragma GCC unroll 4
    for (int pair = 0; pair < 32; ++pair, planes += 32 * kBits, entry += 32) {
      for (int line = 0; line < 32 * kBits; line += 64) _mm_prefetch(reinterpret_cast<const char*>(planes + line + kAheadBytes), _MM_HINT_T0);
      sums.add(planes, table_at(entry), table_at(entry + 16));
    }
    const __m256 scale = _mm256_set1_ps(0.5f * x.scale[block]), offset = _mm256_set1_ps(product.offset * x.sum[block]);
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      __m256i rows[2];
      sums.total(v, rows);
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        const __m256 dot = _mm256_cvtepi32_ps(_mm256_sub_epi32(rows[i], zeros));
        const __m256 weight = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at) + 2 * v + i));
        sum[2 * v + i] = _mm256_fmadd_ps(weight, _mm256_fmadd_ps(dot, scale, offset), sum[2 * v + i]);
      }
    }
  }
  for (int i = 0; i < 4; ++i) _mm256_storeu_ps(out + 8 * i, sum[i]);
}

template <int kBits>
void rows_of(const LookupProduct& product, std::int64_t begin, std::int64_t end) {
  const QuantProduct& plain = product.plain;
  const std::int64_t tile_bytes = plain.k / kLookupBlock * lookup_block_bytes(kBits);
  for (std::int64_t n = begin; n < end; n += kLookupRows)
    for (std::int64_t t = 0; t < plain.num_tokens; ++t) {
      float sum[kLookupRows];
      tile_times<kBits>(product, plain.weight + n / kLookupRows * tile_bytes, t, sum);
      lookup_put(plain, t, n, std::min(n + kLookupRows, end), sum);
    }
}

void rows(const LookupProduct& product, std::int64_t begin, std::int64_t end) {
  switch (product.bits) {
    case 1: return rows_of<1>(product, begin, end);
    case 2: return rows_of<2>(product, begin, end);
    case 3: return rows_of<3>(product, begin, end);
    default: return rows_of<4>(product, begin, end);
  }
}

}  // namespace

void matmul_lookup(const Call& call) {
  lookup_multiply(call, rows, function_loop(static_cast<Function>(call.parameter[4])));
}

}  // namespace netwright::avx2
#endif
