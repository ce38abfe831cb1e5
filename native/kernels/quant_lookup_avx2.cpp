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

// The indices of 32 rows or planes: of the even group, and of the odd one.
struct Indices {
  __m256i even, odd;

  NETWRIGHT_INLINE explicit Indices(__m256i raw)
      : even(_mm256_and_si256(raw, _mm256_set1_epi8(15))), odd(_mm256_and_si256(_mm256_srli_epi16(raw, 4), _mm256_set1_epi8(15))) {}
};

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

  // One vector of a pair of groups.
  NETWRIGHT_INLINE void add(int vector, const Indices& at, __m256i even_table, __m256i odd_table) {
    const __m256i powers = _mm256_set1_epi16(0x0201);
    const __m256i a = _mm256_shuffle_epi8(even_table, at.even), b = _mm256_shuffle_epi8(odd_table, at.odd);
    if (kBits % 2 == 0 || vector < kBits - 1) {
      __m256i& sum = pair[vector / 2][vector % 2];
      sum = _mm256_add_epi16(sum, _mm256_add_epi16(_mm256_maddubs_epi16(a, powers), _mm256_maddubs_epi16(b, powers)));
    } else {
      all = _mm256_add_epi16(all, _mm256_add_epi16(a, b));
      odd = _mm256_add_epi16(odd, _mm256_add_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8)));
    }
  }

  // The same of high bytes, where no sum leaves int16.
  NETWRIGHT_INLINE void add_high(int vector, const Indices& at, __m256i even_table, __m256i odd_table) {
    const __m256i powers = _mm256_set1_epi16(0x0201);
    const __m256i a = _mm256_shuffle_epi8(even_table, at.even), b = _mm256_shuffle_epi8(odd_table, at.odd);
    __m256i& sum = pair[vector / 2][vector % 2];
    sum = _mm256_add_epi16(sum, _mm256_slli_epi16(_mm256_maddubs_epi16(_mm256_add_epi8(a, b), powers), 8));
  }

  // Rows 16 v .. 16 v + 15 as two vectors of int32, 2^kShift times as large, are added to `rows`.
  template <int kShift>
  NETWRIGHT_INLINE void total(int v, __m256i (&rows)[2]) const {
    const auto put = [&rows](__m256i words, int shift) __attribute__((always_inline)) {
      const __m256i low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(words));
      const __m256i high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(words, 1));
      rows[0] = _mm256_add_epi32(rows[0], _mm256_slli_epi32(low, shift));
      rows[1] = _mm256_add_epi32(rows[1], _mm256_slli_epi32(high, shift));
    };
    for (int p = 0; p < kPairs; ++p) put(pair[p][v], 2 * p + kShift);
    if constexpr (kBits % 2 == 1) put(v == 0 ? _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8)) : odd, kBits - 1 + kShift);
  }
};

// Sixteen bits as bytes of 1 and 0, in both halves.
NETWRIGHT_INLINE __m256i bits_apart(std::uint16_t bits) {
  const __m256i half = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
  const __m256i bit = _mm256_set1_epi64x(static_cast<std::int64_t>(0x8040201008040201));
  const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi16(static_cast<std::int16_t>(bits)), half);
  return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit), _mm256_set1_epi8(1));
}

// Calls `use`(vector, indices, even table, odd table) for the high bytes of the sums of a block that have one.
template <int kBits, class Use>
NETWRIGHT_INLINE void each_wide(const std::uint8_t* planes, std::uint32_t pairs, const std::uint16_t* high, Use use) {
  for (; pairs != 0; pairs &= pairs - 1) {
    const int pair = __builtin_ctz(pairs);
    const __m256i even = bits_apart(high[2 * pair]), odd = bits_apart(high[2 * pair + 1]);
#pragma GCC unroll 4
    for (int v = 0; v < kBits; ++v) use(v, Indices(vector_at(planes + (pair * kBits + v) * 32)), even, odd);
  }
}

// What the sums above 255 of a block lack, where they need sums of their own.
template <int kBits>
void add_apart(const std::uint8_t* planes, std::uint32_t pairs, const std::uint16_t* high, __m256i (&rows)[2][2]) {
  PlaneSums<kBits> sums;
  each_wide<kBits>(planes, pairs, high, [&sums](int v, const Indices& at, __m256i even, __m256i odd)
                   __attribute__((always_inline)) { sums.add(v, at, even, odd); });
  sums.template total<8>(0, rows[0]);
  sums.template total<8>(1, rows[1]);
}

// The largest sum of two planes is three times that of the magnitudes of a block.
inline constexpr std::int32_t kMostTogether = 65535 / 3;

// One tile and block for kTokens tokens.
template <int kBits, int kTokens>
NETWRIGHT_INLINE void block_times(const LookupProduct& product, const std::uint8_t* at, const std::byte* row, std::int64_t block,
                                  __m256 (&sum)[kTokens][4]) {
  const QuantProduct& plain = product.plain;
  const std::uint8_t* planes = at + 2 * kLookupRows;
  PlaneSums<kBits> sums[kTokens];
#pragma GCC unroll 4
  for (int pair = 0; pair < 32; ++pair) {
    const std::uint8_t* from = planes + pair * 32 * kBits;
    for (int line = 0; line < 32 * kBits; line += 64) _mm_prefetch(reinterpret_cast<const char*>(from + line + kAheadBytes), _MM_HINT_T0);
#pragma GCC unroll 4
    for (int v = 0; v < kBits; ++v) {
      const Indices indices(vector_at(from + 32 * v));
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) {
        const auto* entry = reinterpret_cast<const std::uint8_t*>(row + t * plain.x_stride) + block * 1024 + pair * 32;
        sums[t].add(v, indices, table_at(entry), table_at(entry + 16));
      }
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < kTokens; ++t) {
    const ActivationTables x(row + t * plain.x_stride, plain.k);
    const std::uint32_t wide = x.wide[block];
    const bool together = kBits % 2 == 0 && x.sum[block] - 2 * x.base[block] <= kMostTogether;
    if (wide != 0 && together)
      each_wide<kBits>(planes, wide, x.high + block * 64, [&sums, t](int v, const Indices& of, __m256i even, __m256i odd)
                       __attribute__((always_inline)) { sums[t].add_high(v, of, even, odd); });
    const __m256i offset = _mm256_set1_epi32(product.offset(x, block));
    __m256i rows[2][2] = {{offset, offset}, {offset, offset}};
    sums[t].template total<0>(0, rows[0]);
    sums[t].template total<0>(1, rows[1]);
    if (wide != 0 && !together) add_apart<kBits>(planes, wide, x.high + block * 64, rows);
    const __m256 scale = _mm256_set1_ps(x.scale[block]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m256 weight = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at) + i));
      sum[t][i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(rows[i / 2][i % 2]), _mm256_mul_ps(weight, scale), sum[t][i]);
    }
  }
}

template <int kBits, int kTokens>
void tiles_times(const LookupProduct& product, std::int64_t t, std::int64_t begin, std::int64_t end) {
  const QuantProduct& plain = product.plain;
  const std::int64_t blocks = plain.k / kLookupBlock;
  const std::byte* row = plain.x + t * plain.x_stride;
  const std::uint8_t* at = plain.weight + begin / kLookupRows * blocks * lookup_block_bytes(kBits);
  for (std::int64_t n = begin; n < end; n += kLookupRows) {
    __m256 sum[kTokens][4];
    for (auto& token : sum)
      for (auto& each : token) each = _mm256_setzero_ps();
    for (std::int64_t block = 0; block < blocks; ++block, at += lookup_block_bytes(kBits))
      block_times<kBits, kTokens>(product, at, row, block, sum);
    for (int i = 0; i < kTokens; ++i) {
      float lane[kLookupRows];
      for (int j = 0; j < 4; ++j) _mm256_storeu_ps(lane + 8 * j, sum[i][j]);
      lookup_put(plain, t + i, n, std::min(n + kLookupRows, end), lane);
    }
  }
}

template <int kBits>
void all_tokens(const LookupProduct& product, std::int64_t begin, std::int64_t end) {
  constexpr int kMost = kBits <= 2 ? 4 : 2;
  std::int64_t t = 0;
  for (; t + kMost <= product.plain.num_tokens; t += kMost) tiles_times<kBits, kMost>(product, t, begin, end);
  if (kMost == 4 && product.plain.num_tokens - t >= 2) {
    tiles_times<kBits, 2>(product, t, begin, end);
    t += 2;
  }
  if (product.plain.num_tokens > t) tiles_times<kBits, 1>(product, t, begin, end);
}

// As many tiles as stay in the second cache meet all tokens.
template <int kBits>
void rows_of(const LookupProduct& product, std::int64_t begin, std::int64_t end) {
  const std::int64_t tile_bytes = product.plain.k / kLookupBlock * lookup_block_bytes(kBits);
  const std::int64_t tiles = product.plain.num_tokens <= 4 ? end : std::max<std::int64_t>(1, 2 * kSomeRowsBytes / tile_bytes);
  for (std::int64_t n = begin; n < end; n += tiles * kLookupRows)
    all_tokens<kBits>(product, n, std::min(end, n + tiles * kLookupRows));
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
