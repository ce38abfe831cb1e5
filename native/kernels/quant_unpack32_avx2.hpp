// The 32-element formats into panels. Every load lies inside its block.
#pragma once

#include "kernels/quant_panel_avx2.hpp"

#if defined(__AVX2__)
namespace netwright::avx2 {

template <class P>
NETWRIGHT_INLINE void put_nibbles(const Turned& raw, P& panel) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    panel.w[i] = field<0>(raw.v[i], 15);
    panel.w[i + 4] = field<4>(raw.v[i], 15);
  }
}

// Bit 4s + j of each row's dword becomes bit 4 of byte j in step s.
template <class P>
NETWRIGHT_INLINE void add_fifth_bits(__m256i high, P& panel) {
#pragma GCC unroll 8
  for (int s = 0; s < 8; ++s) {
    const __m256i byte = _mm256_add_epi32(_mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c, 0, 0x04040404,
                                                            0x08080808, 0x0c0c0c0c),
                                          _mm256_set1_epi8(static_cast<char>(s / 2)));
    const __m256i mask = _mm256_set1_epi32(s % 2 == 0 ? 0x08040201 : static_cast<int>(0x80402010));
    const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(high, byte), mask), mask);
    panel.w[s] = _mm256_or_si256(panel.w[s], bits(set, 16));
  }
}

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::q4_0>& panel) {
  panel.scale = halves<0>(turn(at, stride).v[0]);
  put_nibbles(turn(at + 2, stride), panel);
}

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::q4_1>& panel) {
  const __m256i head = turn(at, stride).v[0];
  panel.scale = halves<0>(head);
  panel.minimum = halves<1>(head);
  put_nibbles(turn(at + 4, stride), panel);
}

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::q5_0>& panel) {
  const Turned head = turn(at, stride);
  panel.scale = halves<0>(head.v[0]);
  put_nibbles(turn(at + 6, stride), panel);
  add_fifth_bits(_mm256_or_si256(_mm256_srli_epi32(head.v[0], 16), _mm256_slli_epi32(head.v[1], 16)), panel);
}

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::q5_1>& panel) {
  const Turned head = turn(at, stride);
  panel.scale = halves<0>(head.v[0]);
  panel.minimum = halves<1>(head.v[0]);
  put_nibbles(turn(at + 8, stride), panel);
  add_fifth_bits(head.v[1], panel);
}

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::q8_0>& panel) {
  panel.scale = halves<0>(turn(at, stride).v[0]);
  const Turned low = turn(at + 2, stride), high = turn(at + 18, stride);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    panel.w[i] = low.v[i];
    panel.w[i + 4] = high.v[i];
  }
}

}  // namespace netwright::avx2
#endif
