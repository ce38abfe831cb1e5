// reduce: the middle dim of [outer, middle, inner]. Sums are kept in blocks of 64 that are then added, so the rounding
// error grows with middle / 64 + 64, not with middle.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/float_kernels.hpp"
#include "kernels/float_vector.hpp"

namespace netwright {

// Order of the names in graph/ops/reduce.py: part of the file format.
enum class Reduction : int { sum, mean, max, min, prod, l1, l2, sum_square };
inline constexpr int kNumReductions = 8;

}  // namespace netwright

namespace netwright::NETWRIGHT_ISA {

inline constexpr std::int64_t kBlock = 64;
inline constexpr std::int64_t kColumns = 32;  // of inner, reduced together

template <Reduction function>
NETWRIGHT_INLINE Vec start() {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  if constexpr (function == Reduction::max) return splat(-infinity);
  else if constexpr (function == Reduction::min) return splat(infinity);
  else return splat(function == Reduction::prod ? 1.0f : 0.0f);
}

template <Reduction function>
NETWRIGHT_INLINE Vec take(Vec sum, Vec x) {
  if constexpr (function == Reduction::max) return select((x > sum) | (x != x), x, sum);
  else if constexpr (function == Reduction::min) return select((x < sum) | (x != x), x, sum);
  else if constexpr (function == Reduction::prod) return sum * x;
  else if constexpr (function == Reduction::l1) return sum + abs(x);
  else if constexpr (function == Reduction::l2 || function == Reduction::sum_square) return fma(x, x, sum);
  else return sum + x;
}

// Two partial results.
template <Reduction function>
NETWRIGHT_INLINE Vec join(Vec a, Vec b) {
  using enum Reduction;
  if constexpr (function == Reduction::max || function == Reduction::min || function == prod) return take<function>(a, b);
  else return a + b;
}

template <Reduction function>
NETWRIGHT_INLINE float finish(float value, std::int64_t count) {
  if constexpr (function == Reduction::mean) return value / float(count);
  else if constexpr (function == Reduction::l2) return std::sqrt(value);
  else return value;
}

// `lanes` columns at `from`, `middle` of them `stride` bytes apart.
template <Reduction function, int VECTORS>
NETWRIGHT_INLINE void reduce_columns(float* out, const std::byte* from, std::int64_t stride, std::int64_t middle, int last_lanes) {
  Vec total[VECTORS], sum[VECTORS];
  for (int v = 0; v < VECTORS; ++v) total[v] = start<function>();
  for (std::int64_t at = 0; at < middle; at += kBlock) {
    const std::int64_t end = std::min(middle, at + kBlock);
    for (int v = 0; v < VECTORS; ++v) sum[v] = start<function>();
    for (std::int64_t i = at; i < end; ++i) {
      const auto x = reinterpret_cast<const float*>(from + i * stride);
      for (int v = 0; v < VECTORS; ++v)
        sum[v] = take<function>(sum[v], v + 1 < VECTORS || last_lanes == kLanes ? load(x + v * kLanes) : load_part(x + v * kLanes, last_lanes));
    }
    for (int v = 0; v < VECTORS; ++v) total[v] = join<function>(total[v], sum[v]);
  }
  for (int v = 0; v < VECTORS; ++v)
    for (int i = 0; i < (v + 1 < VECTORS ? kLanes : last_lanes); ++i) out[v * kLanes + i] = finish<function>(total[v][i], middle);
}

// A contiguous row; lanes take every eighth element and are folded at the end.
template <Reduction function>
float reduce_row(const float* x, std::int64_t middle) {
  Vec total = start<function>();
  std::int64_t at = 0;
  for (; at + kLanes <= middle; at += kBlock * kLanes) {
    Vec sum = start<function>();
    const std::int64_t end = std::min(at + kBlock * kLanes, middle / kLanes * kLanes);
    for (std::int64_t i = at; i < end; i += kLanes) sum = take<function>(sum, load(x + i));
    total = join<function>(total, sum);
  }
  Vec single = start<function>();
  for (std::int64_t i = middle / kLanes * kLanes; i < middle; ++i) single = take<function>(single, splat(x[i]));
  for (int i = 0; i < kLanes; ++i) single = join<function>(single, splat(total[i]));
  return finish<function>(single[0], middle);
}

template <Reduction function>
void reduce_of(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const std::int64_t middle = x.shape[1], inner = x.shape[2];
  const bool across = inner > 1 && x.stride[2] == 4;
  const std::int64_t step = across ? kColumns : 1, blocks = (inner + step - 1) / step;
  const Piece mine = piece(call, x.shape[0] * blocks);
  for (std::int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const std::int64_t outer = unit / blocks, column = unit % blocks * step, count = std::min(step, inner - column);
    const std::byte* from = x.data + outer * x.stride[0] + column * x.stride[2];
    std::byte* to = out.data + outer * out.stride[0] + column * out.stride[1];
    float result[kColumns];
    if (!across && (x.stride[1] == 4 || middle <= 1)) {
      result[0] = reduce_row<function>(reinterpret_cast<const float*>(from), middle);
    } else if (!across) {
      reduce_columns<function, 1>(result, from, x.stride[1], middle, 1);
    } else if (count == kColumns) {
      reduce_columns<function, 4>(result, from, x.stride[1], middle, kLanes);
    } else {
      for (std::int64_t c = 0; c < count; c += kLanes)
        reduce_columns<function, 1>(result + c, from + 4 * c, x.stride[1], middle, int(std::min<std::int64_t>(kLanes, count - c)));
    }
    for (std::int64_t c = 0; c < count; ++c) *reinterpret_cast<float*>(to + c * out.stride[1]) = result[c];
  }
}

// Whole numbers wrap; a mean is cut towards zero, and so is a root.
template <class Integer>
Integer reduce_whole(Reduction function, const std::byte* from, std::int64_t stride, std::int64_t middle) {
  using Bits = std::make_unsigned_t<Integer>;
  using enum Reduction;
  const auto at = [&](std::int64_t i) { return *reinterpret_cast<const Integer*>(from + i * stride); };
  Bits total = function == prod ? 1 : function == Reduction::max ? Bits(std::numeric_limits<Integer>::min())
               : function == Reduction::min                      ? Bits(std::numeric_limits<Integer>::max())
                                                                 : 0;
  for (std::int64_t i = 0; i < middle; ++i) {
    const Integer x = at(i);
    switch (function) {
      case prod: total *= Bits(x); break;
      case Reduction::max: total = Bits(std::max(Integer(total), x)); break;
      case Reduction::min: total = Bits(std::min(Integer(total), x)); break;
      case l1: total += x < 0 ? -Bits(x) : Bits(x); break;
      case l2: case sum_square: total += Bits(x) * Bits(x); break;
      default: total += Bits(x);
    }
  }
  if (function == mean) return middle ? Integer(Integer(total) / Integer(middle)) : 0;
  return function == l2 ? Integer(std::sqrt(double(total))) : Integer(total);
}

template <class Integer>
void reduce_integers(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const Piece mine = piece(call, x.shape[0] * x.shape[2]);
  for (std::int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const std::int64_t outer = unit / x.shape[2], inner = unit % x.shape[2];
    *reinterpret_cast<Integer*>(out.data + outer * out.stride[0] + inner * out.stride[1]) = reduce_whole<Integer>(
        Reduction(call.parameter[0]), x.data + outer * x.stride[0] + inner * x.stride[2], x.stride[1], x.shape[1]);
  }
}

void reduce(const Call& call) {
  if (call.operand[1].format == Format::int32) return reduce_integers<std::int32_t>(call);
  if (call.operand[1].format == Format::int64) return reduce_integers<std::int64_t>(call);
  [&]<int... codes>(std::integer_sequence<int, codes...>) {
    static constexpr Kernel kernels[] = {reduce_of<Reduction(codes)>...};
    kernels[call.parameter[0]](call);
  }(std::make_integer_sequence<int, kNumReductions>{});
}

}  // namespace netwright::NETWRIGHT_ISA
