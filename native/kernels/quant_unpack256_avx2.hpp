// The 256-element formats into panels. Every load lies inside its block.
#pragma once

#include "kernels/quant_panel_avx2.hpp"

#if defined(__AVX2__)
namespace netwright::avx2 {

// Two-bit fields of 32 bytes: field f of byte b is element 32 f + b of the 128 that start at kFirst.
template <int kFirst, class P, class Extra>
NETWRIGHT_INLINE void put_two_bits(const Turned& raw, int half, P& panel, Extra extra) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    __m256i* step = panel.w + kFirst / 4 + half * 4 + i;
    step[0] = extra(field<0>(raw.v[i], 3), half, i, 0);
    step[8] = extra(field<2>(raw.v[i], 3), half, i, 1);
    step[16] = extra(field<4>(raw.v[i], 3), half, i, 2);
    step[24] = extra(field<6>(raw.v[i], 3), half, i, 3);
  }
}

// Scales of the last two bytes of a block, by sixteen bytes that end with it.
NETWRIGHT_INLINE __m256 tail_scale(Bytes end, std::int64_t stride) { return halves<1>(turn(end - 16, stride).v[3]); }

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::q2_k>& panel) {
  const auto plain = [](__m256i q, int, int, int) __attribute__((always_inline)) { return q; };
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    put_two_bits<0>(turn(at + 16 + half * 16, stride), half, panel, plain);
    put_two_bits<128>(turn(at + 48 + half * 16, stride), half, panel, plain);
  }
  const Turned head = turn(at, stride);
  put_subs<0, false>(field<0>(head.v[0], 15), panel);
  put_subs<4, false>(field<0>(head.v[1], 15), panel);
  put_subs<8, false>(field<0>(head.v[2], 15), panel);
  put_subs<12, false>(field<0>(head.v[3], 15), panel);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m256i offset = field<4>(head.v[i], 15);
    panel.offset[2 * i] = widen_pair<0, false>(offset);
    panel.offset[2 * i + 1] = widen_pair<2, false>(offset);
  }
  const __m256i tail = turn(at + 68, stride).v[3];
  panel.scale = halves<0>(tail);
  panel.minimum = halves<1>(tail);
}

// Signed group scales, and offsets = kShift-fold scales: what a stored q + 2^kShift adds too much.
template <int kShift, class P>
NETWRIGHT_INLINE void put_signed_subs(const __m256i (&four)[4], P& panel) {
  put_subs<0, true>(four[0], panel);
  put_subs<4, true>(four[1], panel);
  put_subs<8, true>(four[2], panel);
  put_subs<12, true>(four[3], panel);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    panel.offset[i] = _mm256_slli_epi16(_mm256_blend_epi16(panel.sub[2 * i], panel.sub[2 * i + 1], 0xaa), kShift);
}

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::q3_k>& panel) {
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const Turned mask = turn(at + half * 16, stride);
    // Bit f (+ 4 in the second 128) of the mask becomes bit 2 of field f.
    put_two_bits<0>(turn(at + 32 + half * 16, stride), half, panel,
                    [&mask](__m256i q, int, int i, int f) __attribute__((always_inline)) {
                      const __m256i bit = _mm256_srli_epi16(_mm256_slli_epi16(mask.v[i], 2), f);
                      return _mm256_or_si256(q, bits(bit, 4));
                    });
    put_two_bits<128>(turn(at + 64 + half * 16, stride), half, panel,
                      [&mask](__m256i q, int, int i, int f) __attribute__((always_inline)) {
                        const __m256i bit = _mm256_srli_epi16(mask.v[i], 2 + f);
                        return _mm256_or_si256(q, bits(bit, 4));
                      });
  }
  // Twelve bytes of scales at 96 and the fp16 scale at 108, by a load that ends with the block.
  RowPairs rows = load_rows(at + 94, stride);
  rows = {_mm256_srli_si256(rows.a, 2), _mm256_srli_si256(rows.b, 2), _mm256_srli_si256(rows.c, 2),
          _mm256_srli_si256(rows.d, 2)};
  const Turned head = turn(rows);
  const auto six = [&head](__m256i low, __m256i high) __attribute__((always_inline)) {
    const __m256i both = _mm256_or_si256(bits(low, 15), _mm256_slli_epi16(bits(high, 3), 4));
    return _mm256_sub_epi8(both, _mm256_set1_epi8(32));
  };
  const __m256i four[4] = {six(head.v[0], head.v[2]), six(head.v[1], _mm256_srli_epi16(head.v[2], 2)),
                           six(_mm256_srli_epi16(head.v[0], 4), _mm256_srli_epi16(head.v[2], 4)),
                           six(_mm256_srli_epi16(head.v[1], 4), _mm256_srli_epi16(head.v[2], 6))};
  put_signed_subs<2>(four, panel);
  panel.scale = halves<0>(head.v[3]);
}

// The head that q4_k and q5_k share: two fp16, then eight 6-bit scales and minimums.
template <class P>
NETWRIGHT_INLINE void put_six_bit_pairs(Bytes at, std::int64_t stride, P& panel) {
  const Turned head = turn(at, stride);
  panel.scale = halves<0>(head.v[0]);
  panel.minimum = halves<1>(head.v[0]);
  const auto late = [](__m256i low, __m256i high) __attribute__((always_inline)) {
    return _mm256_or_si256(bits(low, 15), _mm256_slli_epi16(field<6>(high, 3), 4));
  };
  put_subs<0, false>(bits(head.v[1], 63), panel);
  put_subs<4, false>(late(head.v[3], head.v[1]), panel);
  const __m256i first = bits(head.v[2], 63);
  const __m256i second = late(_mm256_srli_epi16(head.v[3], 4), head.v[2]);
  panel.offset[0] = spread<0, false>(first);
  panel.offset[1] = spread<1, false>(first);
  panel.offset[2] = spread<2, false>(first);
  panel.offset[3] = spread<3, false>(first);
  panel.offset[4] = spread<0, false>(second);
  panel.offset[5] = spread<1, false>(second);
  panel.offset[6] = spread<2, false>(second);
  panel.offset[7] = spread<3, false>(second);
}

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::q4_k>& panel) {
  put_six_bit_pairs(at, stride, panel);
#pragma GCC unroll 8
  for (int chunk = 0; chunk < 8; ++chunk) {
    const Turned raw = turn(at + 16 + chunk * 16, stride);
    __m256i* step = panel.w + chunk / 2 * 16 + chunk % 2 * 4;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      step[i] = field<0>(raw.v[i], 15);
      step[i + 8] = field<4>(raw.v[i], 15);
    }
  }
}

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::q5_k>& panel) {
  put_six_bit_pairs(at, stride, panel);
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const Turned high = turn(at + 16 + half * 16, stride);
#pragma GCC unroll 4
    for (int pair = 0; pair < 4; ++pair) {
      const Turned raw = turn(at + 48 + pair * 32 + half * 16, stride);
      __m256i* step = panel.w + pair * 16 + half * 4;
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        // Bits 2 pair and 2 pair + 1 of the mask, brought to bit 4.
        const __m256i up = _mm256_slli_epi16(high.v[i], 4);
        const __m256i first = pair < 2 ? _mm256_srli_epi16(up, 2 * pair) : _mm256_srli_epi16(high.v[i], 2 * pair - 4);
        const __m256i second = pair < 2 ? _mm256_srli_epi16(up, 2 * pair + 1) : _mm256_srli_epi16(high.v[i], 2 * pair - 3);
        step[i] = _mm256_or_si256(field<0>(raw.v[i], 15), bits(first, 16));
        step[i + 8] = _mm256_or_si256(field<4>(raw.v[i], 15), bits(second, 16));
      }
    }
  }
}

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::q6_k>& panel) {
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 2
    for (int part = 0; part < 2; ++part) {
      const Turned first = turn(at + half * 64 + part * 16, stride);
      const Turned second = turn(at + half * 64 + 32 + part * 16, stride);
      const Turned high = turn(at + 128 + half * 32 + part * 16, stride);
      __m256i* step = panel.w + half * 32 + part * 4;
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const __m256i h = high.v[i];
        step[i] = _mm256_or_si256(field<0>(first.v[i], 15), bits(_mm256_slli_epi16(h, 4), 48));
        step[i + 8] = _mm256_or_si256(field<0>(second.v[i], 15), bits(_mm256_slli_epi16(h, 2), 48));
        step[i + 16] = _mm256_or_si256(field<4>(first.v[i], 15), bits(h, 48));
        step[i + 24] = _mm256_or_si256(field<4>(second.v[i], 15), bits(_mm256_srli_epi16(h, 2), 48));
      }
    }
  }
  const Turned head = turn(at + 192, stride);
  put_signed_subs<5>(head.v, panel);
  panel.scale = tail_scale(at + 210, stride);
}

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::tq2_0>& panel) {
  const auto plain = [](__m256i q, int, int, int) __attribute__((always_inline)) { return q; };
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    put_two_bits<0>(turn(at + half * 16, stride), half, panel, plain);
    put_two_bits<128>(turn(at + 32 + half * 16, stride), half, panel, plain);
  }
  panel.scale = tail_scale(at + 66, stride);
}

// The leading base-3 digit of every byte: 3 q / 256, by its two thresholds.
NETWRIGHT_INLINE __m256i leading_digit(__m256i q) {
  const __m256i one = _mm256_set1_epi8(1);
  return _mm256_add_epi8(_mm256_min_epu8(_mm256_subs_epu8(q, _mm256_set1_epi8(85)), one),
                         _mm256_min_epu8(_mm256_subs_epu8(q, _mm256_set1_epi8(static_cast<char>(170))), one));
}

NETWRIGHT_INLINE __m256i triple(__m256i q) { return _mm256_add_epi8(q, _mm256_add_epi8(q, q)); }

NETWRIGHT_INLINE void unpack(Bytes at, std::int64_t stride, Panel<Format::tq1_0>& panel) {
  const Turned raw[3] = {turn(at, stride), turn(at + 16, stride), turn(at + 32, stride)};
#pragma GCC unroll 3
  for (int chunk = 0; chunk < 3; ++chunk)
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      __m256i q = raw[chunk].v[i];
      __m256i* step = panel.w + (chunk < 2 ? chunk * 4 : 40) + i;
#pragma GCC unroll 5
      for (int digit = 0; digit < 5; ++digit) {
        step[digit * (chunk < 2 ? 8 : 4)] = leading_digit(q);
        q = triple(q);
      }
    }
  // The last four bytes of digits (48..51) and the scale, by a load that ends with the block.
  const Turned tail = turn(at + 38, stride);
  __m256i q = _mm256_or_si256(_mm256_srli_epi32(tail.v[2], 16), _mm256_slli_epi32(tail.v[3], 16));
#pragma GCC unroll 4
  for (int digit = 0; digit < 4; ++digit) {
    panel.w[60 + digit] = leading_digit(q);
    q = triple(q);
  }
  panel.scale = halves<1>(tail.v[3]);
}

}  // namespace netwright::avx2
#endif
