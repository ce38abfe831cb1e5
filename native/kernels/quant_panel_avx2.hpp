// Eight rows of one block, turned so that a lane is a row: what the int8 products are made of.
// w[s] holds elements 4s..4s+3 of each row, so `maddubs` with four broadcast activations adds up eight rows
// at once and no horizontal sum is ever taken.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>

#include <cstdint>

#include "kernels/float_vector.hpp"
#include "vm/opcode.hpp"

namespace netwright::avx2 {

using Bytes = const std::uint8_t*;

// What the unpacked integers of a format look like to the product.
template <Format F>
struct Trait;
// kZero: q is stored as q + kZero. kSteps: maddubs that fit one int16 sum (largest q * 127 * 2 * kSteps < 2^15).
// kGroup: elements that share an integer scale (0: none). kOffset: integer offsets for each 16 elements.
#define NETWRIGHT_TRAIT(name, block, bytes, zero, steps, group, minimum, offset)            \
  template <>                                                                               \
  struct Trait<Format::name> {                                                              \
    static constexpr int kBlock = block, kBytes = bytes, kZero = zero, kSteps = steps, kGroup = group; \
    static constexpr bool kMinimum = minimum, kOffset = offset;                             \
  }
NETWRIGHT_TRAIT(q4_0, 32, 18, 8, 8, 0, false, false);
NETWRIGHT_TRAIT(q4_1, 32, 20, 0, 8, 0, true, false);
NETWRIGHT_TRAIT(q5_0, 32, 22, 16, 4, 0, false, false);
NETWRIGHT_TRAIT(q5_1, 32, 24, 0, 4, 0, true, false);
NETWRIGHT_TRAIT(q8_0, 32, 34, 0, 1, 0, false, false);
NETWRIGHT_TRAIT(q2_k, 256, 84, 0, 4, 16, true, true);
NETWRIGHT_TRAIT(q3_k, 256, 110, 0, 4, 16, false, true);
NETWRIGHT_TRAIT(q4_k, 256, 144, 0, 8, 32, true, true);
NETWRIGHT_TRAIT(q5_k, 256, 176, 0, 4, 32, true, true);
NETWRIGHT_TRAIT(q6_k, 256, 210, 0, 2, 16, false, true);
NETWRIGHT_TRAIT(tq1_0, 256, 54, 1, 64, 0, false, false);
NETWRIGHT_TRAIT(tq2_0, 256, 66, 1, 32, 0, false, false);
#undef NETWRIGHT_TRAIT

template <Format F>
struct Panel {
  static constexpr Format kFormat = F;
  static constexpr std::int64_t kColumnBytes = Trait<F>::kBlock;  // of a block of int8 activations
  static constexpr int kSubs = Trait<F>::kGroup == 0 ? 0 : Trait<F>::kBlock / Trait<F>::kGroup;
  __m256i w[Trait<F>::kBlock / 4];
  __m256i sub[kSubs == 0 ? 1 : kSubs];            // int16, twice a row
  __m256i offset[Trait<F>::kOffset ? 8 : 1];      // int16, one for each of two neighbouring 16s
  __m256 scale;
  __m256 minimum;
};

// Sixteen bytes of each of eight rows as four vectors of one dword a row, rows in order.
struct Turned {
  __m256i v[4];
};

struct RowPairs {
  __m256i a, b, c, d;
};

NETWRIGHT_INLINE RowPairs load_rows(Bytes at, std::int64_t stride) {
  const auto pair = [at, stride](int row) __attribute__((always_inline)) {
    const auto low = reinterpret_cast<const __m128i*>(at + row * stride);
    const auto high = reinterpret_cast<const __m128i*>(at + (row + 4) * stride);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)), _mm_loadu_si128(high), 1);
  };
  return {pair(0), pair(1), pair(2), pair(3)};
}

NETWRIGHT_INLINE Turned turn(const RowPairs& rows) {
  const __m256i t0 = _mm256_unpacklo_epi32(rows.a, rows.b), t1 = _mm256_unpackhi_epi32(rows.a, rows.b);
  const __m256i t2 = _mm256_unpacklo_epi32(rows.c, rows.d), t3 = _mm256_unpackhi_epi32(rows.c, rows.d);
  return {{_mm256_unpacklo_epi64(t0, t2), _mm256_unpackhi_epi64(t0, t2), _mm256_unpacklo_epi64(t1, t3),
           _mm256_unpackhi_epi64(t1, t3)}};
}

NETWRIGHT_INLINE Turned turn(Bytes at, std::int64_t stride) { return turn(load_rows(at, stride)); }

// The eight fp16 in the low (kHalf 0) or high (1) halves of eight dwords.
template <int kHalf>
NETWRIGHT_INLINE __m256 halves(__m256i dwords) {
  constexpr int h = 2 * kHalf;
  const __m256i pick = _mm256_setr_epi8(h, h + 1, h + 4, h + 5, h + 8, h + 9, h + 12, h + 13, -1, -1, -1, -1, -1, -1,
                                        -1, -1, h, h + 1, h + 4, h + 5, h + 8, h + 9, h + 12, h + 13, -1, -1, -1, -1,
                                        -1, -1, -1, -1);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(dwords, pick), 0x08);
  return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

NETWRIGHT_INLINE __m256i bits(__m256i value, int mask) {
  return _mm256_and_si256(value, _mm256_set1_epi8(static_cast<char>(mask)));
}
// Bits that start at kShift of every byte, under `mask`.
template <int kShift>
NETWRIGHT_INLINE __m256i field(__m256i value, int mask) {
  if constexpr (kShift == 0) return bits(value, mask);
  else return bits(_mm256_srli_epi16(value, kShift), mask);
}

// Byte kByte of every dword as a pair of equal int16.
template <int kByte, bool kSigned>
NETWRIGHT_INLINE __m256i spread(__m256i value) {
  constexpr int b = kByte, z = -128;
  constexpr int low = kSigned ? z : b, high = kSigned ? b : z;
  const __m256i wide = _mm256_shuffle_epi8(
      value, _mm256_broadcastsi128_si256(_mm_setr_epi8(
                 static_cast<char>(low), static_cast<char>(high), static_cast<char>(low), static_cast<char>(high),
                 static_cast<char>(low + 4), static_cast<char>(high + 4), static_cast<char>(low + 4),
                 static_cast<char>(high + 4), static_cast<char>(low + 8), static_cast<char>(high + 8),
                 static_cast<char>(low + 8), static_cast<char>(high + 8), static_cast<char>(low + 12),
                 static_cast<char>(high + 12), static_cast<char>(low + 12), static_cast<char>(high + 12))));
  return kSigned ? _mm256_srai_epi16(wide, 8) : wide;
}

// Bytes kByte and kByte + 1 of every dword as a pair of int16.
template <int kByte, bool kSigned>
NETWRIGHT_INLINE __m256i widen_pair(__m256i value) {
  const __m256i first = spread<kByte, kSigned>(value), second = spread<kByte + 1, kSigned>(value);
  return _mm256_blend_epi16(first, second, 0xaa);
}

// Four group scales from four bytes of each row, and their offsets as `offset_of` makes them.
template <int kFirst, bool kSigned, Format F>
NETWRIGHT_INLINE void put_subs(__m256i four, Panel<F>& panel) {
  panel.sub[kFirst] = spread<0, kSigned>(four);
  panel.sub[kFirst + 1] = spread<1, kSigned>(four);
  panel.sub[kFirst + 2] = spread<2, kSigned>(four);
  panel.sub[kFirst + 3] = spread<3, kSigned>(four);
}

}  // namespace netwright::avx2
#endif
