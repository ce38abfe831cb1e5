// copy: any strides to any strides, with a cast between any two plain formats; fill.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/float_check.hpp"
#include "kernels/float_kernels.hpp"
#include "kernels/float_vector.hpp"
#include "kernels/float_walk.hpp"

namespace netwright::NETWRIGHT_ISA {

inline std::uint16_t to_half(float value) {
  // Round to nearest even through a float whose last place is the half's (Giesen's float_to_half_fast3_rtne).
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits & 0x80000000u;
  bits ^= sign;
  std::uint32_t half;
  if (bits >= 0x47800000u) half = bits > 0x7f800000u ? 0x7e00 : 0x7c00;
  else if (bits < 0x38800000u) half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(bits) + 0.5f) - 0x3f000000u;
  else half = (bits + 0xc8000fffu + (bits >> 13 & 1)) >> 13;
  return std::uint16_t(half | sign >> 16);
}

inline float from_half(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t(half & 0x8000) << 16, rest = half & 0x7fff;
  if (rest >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000u | (rest & 0x3ff) << 13);
  if (rest >= 0x0400) return std::bit_cast<float>(sign | ((rest << 13) + 0x38000000u));
  const float tiny = float(rest) * 5.9604644775390625e-8f;
  return sign ? -tiny : tiny;
}

inline std::uint16_t to_bfloat(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if (value != value) return std::uint16_t(bits >> 16 | 0x40);
  return std::uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// To fp32 with the last bit set when anything was lost, so that a further rounding is as if made once (round to odd).
inline float sticky(double value) {
  const float near = float(value);
  if (double(near) == value || value != value || std::isinf(near)) return near;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(near);
  return std::bit_cast<float>((std::fabs(double(near)) > std::fabs(value) ? bits - 1 : bits) | 1u);
}

// A staged element: whole numbers keep all 64 bits, the rest go through double.
union Staged {
  double real;
  std::int64_t whole;
};

inline bool is_whole(Format format) { return format >= Format::int8 && format <= Format::boolean; }

template <class Element, class Convert>
NETWRIGHT_INLINE void each_element(const std::byte* from, std::int64_t stride, std::int64_t count, Convert convert) {
  for (std::int64_t i = 0; i < count; ++i) convert(i, *reinterpret_cast<const Element*>(from + i * stride));
}

inline void read_staged(Staged* to, const std::byte* from, Format format, std::int64_t stride, std::int64_t count) {
  const auto real = [&](std::int64_t i, auto v) { to[i].real = double(v); };
  const auto whole = [&](std::int64_t i, auto v) { to[i].whole = std::int64_t(v); };
  switch (format) {
    case Format::fp32: return each_element<float>(from, stride, count, real);
    case Format::fp64: return each_element<double>(from, stride, count, real);
    case Format::fp16: return each_element<std::uint16_t>(from, stride, count, [&](std::int64_t i, std::uint16_t v) { to[i].real = from_half(v); });
    case Format::bf16:
      return each_element<std::uint16_t>(from, stride, count,
                                         [&](std::int64_t i, std::uint16_t v) { to[i].real = std::bit_cast<float>(std::uint32_t(v) << 16); });
    case Format::int8: return each_element<std::int8_t>(from, stride, count, whole);
    case Format::uint8: return each_element<std::uint8_t>(from, stride, count, whole);
    case Format::int16: return each_element<std::int16_t>(from, stride, count, whole);
    case Format::int32: return each_element<std::int32_t>(from, stride, count, whole);
    case Format::int64: return each_element<std::int64_t>(from, stride, count, whole);
    default: return each_element<std::uint8_t>(from, stride, count, [&](std::int64_t i, std::uint8_t v) { to[i].whole = v != 0; });
  }
}

// Towards zero, held to the 64-bit range; NaN gives 0.
inline std::int64_t to_whole(double value) {
  if (!(value > -9223372036854775808.0)) return value != value ? 0 : INT64_MIN;
  return value >= 9223372036854775808.0 ? INT64_MAX : std::int64_t(value);
}

inline void write_staged(std::byte* to, const Staged* from, Format format, bool whole, std::int64_t stride, std::int64_t count) {
  const auto each = [&](auto zero, auto convert) {
    for (std::int64_t i = 0; i < count; ++i) *reinterpret_cast<decltype(zero)*>(to + i * stride) = decltype(zero)(convert(from[i]));
  };
  const auto real = [&](Staged v) { return whole ? double(v.whole) : v.real; };
  const auto integer = [&](Staged v) { return whole ? v.whole : to_whole(v.real); };
  switch (format) {
    case Format::fp32: return each(float{}, real);
    case Format::fp64: return each(double{}, real);
    case Format::fp16: return each(std::uint16_t{}, [&](Staged v) { return to_half(sticky(real(v))); });
    case Format::bf16: return each(std::uint16_t{}, [&](Staged v) { return to_bfloat(sticky(real(v))); });
    case Format::int8: return each(std::int8_t{}, integer);
    case Format::uint8: return each(std::uint8_t{}, integer);
    case Format::int16: return each(std::int16_t{}, integer);
    case Format::int32: return each(std::int32_t{}, integer);
    case Format::int64: return each(std::int64_t{}, integer);
    default: return each(std::uint8_t{}, [&](Staged v) { return whole ? v.whole != 0 : v.real != 0.0; });
  }
}

inline void cast(const Call& call) {
  const auto walk = Walk<2>::of(call);
  const Format to = call.operand[0].format, from = call.operand[1].format;
  walk.runs(piece(call, walk.count, 64), [&](std::byte* const* pointer, std::int64_t count) {
    constexpr std::int64_t kStaged = 256;
    Staged stage[kStaged];
    for (std::int64_t at = 0; at < count; at += kStaged) {
      const std::int64_t now = std::min(kStaged, count - at);
      read_staged(stage, pointer[1] + at * walk.inner_stride(1), from, walk.inner_stride(1), now);
      write_staged(pointer[0] + at * walk.inner_stride(0), stage, to, is_whole(from), walk.inner_stride(0), now);
    }
  });
}

template <class Element>
NETWRIGHT_INLINE void move_run(std::byte* to, const std::byte* from, std::int64_t to_stride, std::int64_t from_stride, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    *reinterpret_cast<Element*>(to + i * to_stride) = *reinterpret_cast<const Element*>(from + i * from_stride);
}

// Elements [column, column + columns) of `rows` rows: 16x16 tiles, so that both sides stay within a few cache lines.
template <class Element>
void transpose_plane(std::byte* to, const std::byte* from, std::int64_t rows, std::int64_t columns, std::int64_t to_row,
                     std::int64_t from_column) {
  constexpr std::int64_t size = sizeof(Element), edge = 16;
  for (std::int64_t r = 0; r < rows; r += edge)
    for (std::int64_t c = 0; c < columns; c += edge)
      for (std::int64_t i = r; i < std::min(r + edge, rows); ++i)
        move_run<Element>(to + i * to_row + c * size, from + i * size + c * from_column, size, from_column, std::min(edge, columns - c));
}

// The dim along which x is contiguous, when it is not the innermost; -1 otherwise.
inline int transposed_dim(const Walk<2>& walk, std::int64_t bytes) {
  if (walk.inner_stride(0) != bytes || walk.inner_stride(1) == bytes || walk.inner_stride(1) == 0) return -1;
  for (int d = 0; d < walk.rank - 1; ++d)
    if (walk.stride[d][1] == bytes && walk.shape[d] >= 4) return d;
  return -1;
}

template <class Element>
void move_elements(const Call& call) {
  constexpr std::int64_t size = sizeof(Element);
  auto walk = Walk<2>::of(call);
  const int across = transposed_dim(walk, size);
  if (across >= 0 && walk.count > 0) {
    // Units are blocks of 64 rows of each plane spanned by `across` and the innermost dim.
    constexpr std::int64_t kRows = 64;
    const std::int64_t rows = walk.shape[across], blocks = (rows + kRows - 1) / kRows;
    const std::int64_t to_row = walk.stride[across][0], columns = walk.inner(), from_column = walk.inner_stride(1);
    walk.shape[across] = blocks;
    walk.stride[across][0] *= kRows, walk.stride[across][1] *= kRows;
    walk.shape[walk.rank - 1] = 1;
    std::int64_t units = 1, inside = 1;
    for (int d = 0; d < walk.rank; ++d) units *= walk.shape[d], inside *= d > across ? walk.shape[d] : 1;
    const Piece mine = piece(call, units);
    std::int64_t unit = mine.begin;
    walk.runs(mine, [&](std::byte* const* pointer, std::int64_t) {
      const std::int64_t block = unit++ / inside % blocks;
      transpose_plane<Element>(pointer[0], pointer[1], std::min(kRows, rows - block * kRows), columns, to_row, from_column);
    });
    return;
  }
  const std::int64_t to = walk.inner_stride(0), from = walk.inner_stride(1);
  walk.runs(piece(call, walk.count, 64), [&](std::byte* const* pointer, std::int64_t count) {
    if (to == size && from == size) std::memmove(pointer[0], pointer[1], std::size_t(count * size));
    else if (to == size && from == 0) std::fill_n(reinterpret_cast<Element*>(pointer[0]), count, *reinterpret_cast<const Element*>(pointer[1]));
    else move_run<Element>(pointer[0], pointer[1], to, from, count);
  });
}

void copy(const Call& call) {
  if (call.operand[0].format != call.operand[1].format) return cast(call);
  switch (check::element_bytes(call.operand[0].format)) {
    case 1: return move_elements<std::uint8_t>(call);
    case 2: return move_elements<std::uint16_t>(call);
    case 4: return move_elements<std::uint32_t>(call);
    default: return move_elements<std::uint64_t>(call);
  }
}

void fill(const Call& call) {
  const auto walk = Walk<1>::of(call);
  const Format format = call.operand[0].format;
  Staged value{.real = call.real(0)};
  std::uint64_t element = 0;
  write_staged(reinterpret_cast<std::byte*>(&element), &value, format, false, 0, 1);
  const std::int64_t bytes = check::element_bytes(format), stride = walk.inner_stride(0);
  walk.runs(piece(call, walk.count, 64), [&](std::byte* const* pointer, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) std::memcpy(pointer[0] + i * stride, &element, std::size_t(bytes));
  });
}

}  // namespace netwright::NETWRIGHT_ISA
