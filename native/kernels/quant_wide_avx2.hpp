// q8_0 times many tokens, in int16. Bytes of both signs cannot meet in `maddubs`: it takes one operand unsigned, and
// the sign moved to the other costs an instruction a product. Widened once, weights and activations meet in `madd`.
// The integers are exact and what follows them is add_block: the same bits as for few tokens.
#pragma once

#include <algorithm>

#include "kernels/quant_kernels.hpp"
#include "kernels/quant_product_avx2.hpp"

#if defined(__AVX2__)
namespace netwright::avx2 {

// Eight rows of one block: w[2g] and w[2g + 1] hold elements (4g, 4g + 2) and (4g + 1, 4g + 3) of each row.
struct WidePanel {
  static constexpr Format kFormat = Format::q8_0;
  static constexpr std::int64_t kColumnBytes = 64;
  __m256i w[16];
  __m256 scale;
};
static_assert(sizeof(WidePanel) == kWidePanelBytes);

// The even and the odd bytes of every dword, as pairs of int16.
NETWRIGHT_INLINE __m256i even_bytes(__m256i v) { return _mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8); }
NETWRIGHT_INLINE __m256i odd_bytes(__m256i v) { return _mm256_srai_epi16(v, 8); }

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, WidePanel& panel) {
  Panel<Format::q8_0> narrow;
  unpack(at, stride, narrow);
  panel.scale = narrow.scale;
#pragma GCC unroll 8
  for (int g = 0; g < 8; ++g) {
    panel.w[2 * g] = even_bytes(narrow.w[g]);
    panel.w[2 * g + 1] = odd_bytes(narrow.w[g]);
  }
}

// The int8 of `count` rows of activations; of each 32, the even pairs and then the odd ones.
inline void widen_rows(const std::byte* x, std::int64_t stride, std::int64_t count, std::int64_t k, std::int16_t* wide) {
  for (std::int64_t t = 0; t < count; ++t, x += stride, wide += k)
    for (std::int64_t i = 0; i < k; i += 32) {
      const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(wide + i), even_bytes(v));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(wide + i + 16), odd_bytes(v));
    }
}

// As for other panels; `q` points at widened columns.
template <int kPanels, int kTokens>
NETWRIGHT_INLINE void integer_dots(const WidePanel* const (&panel)[kPanels], const std::int8_t* const (&q)[kTokens],
                                   __m256i (&total)[kPanels][kTokens]) {
#pragma GCC unroll 16
  for (int s = 0; s < 16; ++s) {
    const int at = s % 2 * 32 + s / 2 * 4;
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      const __m256i pair = four_bytes(q[t] + at);
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; ++p) {
        const __m256i product = _mm256_madd_epi16(panel[p]->w[s], pair);
        total[p][t] = s == 0 ? product : in_order(_mm256_add_epi32(total[p][t], product));
      }
    }
  }
}

}  // namespace netwright::avx2
#endif
