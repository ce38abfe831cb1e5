// What attention's tiles are made of: products held in registers, keys turned, values laid out, exponentials.
#pragma once

#include <algorithm>

#include "kernels/attention_shape.hpp"
#include "kernels/float_function.hpp"
#include "kernels/token_vector.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

// e^x for x <= 0, below 2 ulp; 0 under -87 (Cephes expf with one scaling, which that range allows).
NETWRIGHT_INLINE Vec exp_below_zero(Vec x) {
  const Vec n = round_even(x * 1.44269504088896341f);
  Vec r = fma(n, splat(-0.693359375f), x);
  r = fma(n, splat(2.12194440e-4f), r);
  Vec p = polynomial(r, splat(1.9875691500e-4f), 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                     1.6666665459e-1f, 5.0000001201e-1f);
  p = fma(p, r * r, r) + 1.0f;
  const Vec value = p * as_float((to_int(n) + 127) << 23);
  return as_float(as_bits(value) & IntVec(x >= -87.0f));
}

// The left factor of a product: element (row, k) lies at from + row * row_stride + k * k_stride.
template <int kRowStride, int kKStride>
struct Left {
  const float* from;
  NETWRIGHT_INLINE Vec at(int row, std::int64_t k) const { return splat(from[row * kRowStride + k * kKStride]); }
};

// c[row] = factor[row] * c[row] + sum over k of left(row, k) * b[k], kVecs lanes of eight, k in order; without a factor c is
// not read. b: fp32 rows, or fp16 ones.
template <int kRows, int kVecs, bool kHalf, class LeftFactor>
NETWRIGHT_INLINE void multiply_tile(float* c, std::int64_t c_stride, LeftFactor left, const std::byte* b, std::int64_t b_stride,
                                    std::int64_t depth, const float* factor) {
  Vec sum[kRows][kVecs] = {};
  if (factor != nullptr)
    for (int row = 0; row < kRows; ++row)
      for (int v = 0; v < kVecs; ++v) sum[row][v] = load(c + row * c_stride + 8 * v) * factor[row];
  for (std::int64_t k = 0; k < depth; ++k, b += b_stride) {
    if constexpr (kVecs > kRows) {
      Vec each[kRows];
#pragma GCC unroll 6
      for (int row = 0; row < kRows; ++row) each[row] = left.at(row, k);
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) {
        const Vec right = load_either<kHalf>(b, 8 * v, 8);
#pragma GCC unroll 6
        for (int row = 0; row < kRows; ++row) sum[row][v] = fma(each[row], right, sum[row][v]);
      }
    } else {
      Vec right[kVecs];
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) right[v] = load_either<kHalf>(b, 8 * v, 8);
#pragma GCC unroll 6
      for (int row = 0; row < kRows; ++row) {
        const Vec each = left.at(row, k);
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) sum[row][v] = fma(each, right[v], sum[row][v]);
      }
    }
  }
#pragma GCC unroll 6
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) store(c + row * c_stride + 8 * v, sum[row][v]);
}

// All columns [begin, end), multiples of sixteen, of kRows rows: as wide as eight to twelve sums in registers go.
template <int kRows, bool kHalf, class LeftFactor>
NETWRIGHT_INLINE void multiply_columns(float* c, std::int64_t c_stride, LeftFactor left, const std::byte* b, std::int64_t b_stride,
                                       std::int64_t begin, std::int64_t end, std::int64_t depth, const float* factor) {
  constexpr int kItem = kHalf ? 2 : 4, kWide = kRows == 1 ? 8 : kRows <= 3 ? 4 : 2;
  std::int64_t j = begin;
  if constexpr (kWide > 2)
    for (; j + 8 * kWide <= end; j += 8 * kWide)
      multiply_tile<kRows, kWide, kHalf>(c + j, c_stride, left, b + j * kItem, b_stride, depth, factor);
  for (; j < end; j += 16) multiply_tile<kRows, 2, kHalf>(c + j, c_stride, left, b + j * kItem, b_stride, depth, factor);
}

// work.template operator()<n>(first) for every register tile of n rows: six, and what is left.
template <class Work>
NETWRIGHT_INLINE void by_register_tiles(std::int64_t rows, Work work) {
  std::int64_t row = 0;
  for (; row + 6 <= rows; row += 6) work.template operator()<6>(row);
  switch (rows - row) {
    case 5: return work.template operator()<5>(row);
    case 4: return work.template operator()<4>(row);
    case 3: return work.template operator()<3>(row);
    case 2: return work.template operator()<2>(row);
    case 1: return work.template operator()<1>(row);
    default: return;
  }
}

NETWRIGHT_INLINE void transpose_eight(Vec (&r)[8]) {
  const auto low = [](Vec a, Vec b) __attribute__((always_inline)) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13); };
  const auto high = [](Vec a, Vec b) __attribute__((always_inline)) { return __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15); };
  Vec t[8], u[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = low(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = high(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    u[4 * i] = __builtin_shufflevector(t[4 * i], t[4 * i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    u[4 * i + 1] = __builtin_shufflevector(t[4 * i], t[4 * i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    u[4 * i + 2] = __builtin_shufflevector(t[4 * i + 1], t[4 * i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    u[4 * i + 3] = __builtin_shufflevector(t[4 * i + 1], t[4 * i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[i] = __builtin_shufflevector(u[i], u[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    r[i + 4] = __builtin_shufflevector(u[i], u[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

// Eight keys, of which `count` exist, into eight columns of a turned block.
template <bool kHalf>
NETWRIGHT_INLINE void turn_eight(float* out, const std::byte* keys, std::int64_t stride, std::int64_t count, std::int64_t d,
                                 std::int64_t left) {
  Vec row[8];
  if (count >= 8 && left >= 8) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) row[i] = load_either<kHalf>(keys + i * stride, d, 8);
  } else {
    for (int i = 0; i < 8; ++i) row[i] = i < count ? load_either<kHalf>(keys + i * stride, d, left) : Vec{};
  }
  transpose_eight(row);
  if (left >= 8) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) store(out + (d + i) * kKeys, row[i]);
  } else {
    for (int i = 0; i < left; ++i) store(out + (d + i) * kKeys, row[i]);
  }
}

// Asks for `count` rows, at most eight. A head's rows lie too far apart for the processor to foresee them.
NETWRIGHT_INLINE void ask_for_eight(const std::byte* rows, std::int64_t stride, std::int64_t count, std::int64_t bytes) {
  for (std::int64_t i = 0; i < std::min<std::int64_t>(count, 8); ++i)
    for (std::int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(rows + i * stride + at);
}

// Keys [0, count) of a block turned: out[d][key]; up to a multiple of sixteen keys the rest are zero.
// `ask(first)` is told of every eight keys: what is needed later can be on its way meanwhile.
template <bool kHalf, class Ask>
void turn_keys(float* out, const std::byte* keys, std::int64_t stride, std::int64_t count, std::int64_t width, Ask ask) {
  const std::int64_t padded = (count + 15) / 16 * 16;
  for (std::int64_t first = 0; first < padded; first += 8) {
    ask(first);
    for (std::int64_t d = 0; d < width; d += 8)
      turn_eight<kHalf>(out + first, keys + first * stride, stride, count - first, d, width - d);
  }
}

// Values as rows of fp32, padded to `padded` with zeros.
template <bool kHalf>
void copy_values(float* out, const std::byte* values, std::int64_t stride, std::int64_t count, std::int64_t width, std::int64_t padded) {
  for (std::int64_t key = 0; key < count; ++key, values += stride, out += padded) {
    std::int64_t e = 0;
    for (; e + 8 <= width; e += 8) store(out + e, load_either<kHalf>(values, e, 8));
    for (; e < padded; e += 8) store(out + e, e < width ? load_either<kHalf>(values, e, width - e) : Vec{});
  }
}

}  // namespace
}  // namespace netwright::NETWRIGHT_ISA
