// unary: out = f(x), and the contiguous loops of every function that fused epilogues share.
#pragma once

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include "kernels/float_function.hpp"
#include "kernels/float_kernels.hpp"
#include "kernels/float_walk.hpp"

namespace netwright::NETWRIGHT_ISA {

template <Function function>
void run_function(float* out, const float* x, std::int64_t count, float alpha, float beta) {
  const Vec first = splat(alpha), second = splat(beta);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(out + i, evaluate<function>(load(x + i), first, second));
  if (i < count) {
    const int left = int(count - i);
    store_part(out + i, evaluate<function>(load_part(x + i, left), first, second), left);
  }
}

FunctionLoop function_loop(Function function) {
  return [&]<int... codes>(std::integer_sequence<int, codes...>) {
    static constexpr FunctionLoop loops[] = {run_function<Function(codes)>...};
    return loops[int(function)];
  }(std::make_integer_sequence<int, kNumFunctions>{});
}

inline constexpr std::int64_t kChunk = 512;  // elements staged on the stack at a time

NETWRIGHT_INLINE void gather_chunk(float* to, const std::byte* from, std::int64_t stride, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = *reinterpret_cast<const float*>(from + i * stride);
}

inline void unary_float(const Call& call) {
  const auto walk = Walk<2>::of(call);
  const FunctionLoop loop = function_loop(Function(call.parameter[0]));
  const float alpha = float(call.real(1)), beta = float(call.real(2));
  const std::int64_t out_stride = walk.inner_stride(0), x_stride = walk.inner_stride(1);
  walk.runs(piece(call, walk.count, 64), [&](std::byte* const* pointer, std::int64_t count) {
    if ((out_stride == 4 && x_stride == 4) || count == 1)
      return loop(reinterpret_cast<float*>(pointer[0]), reinterpret_cast<const float*>(pointer[1]), count, alpha, beta);
    float stage[kChunk];
    for (std::int64_t at = 0; at < count; at += kChunk) {
      const std::int64_t now = std::min(kChunk, count - at);
      gather_chunk(stage, pointer[1] + at * x_stride, x_stride, now);
      loop(stage, stage, now, alpha, beta);
      for (std::int64_t i = 0; i < now; ++i) *reinterpret_cast<float*>(pointer[0] + (at + i) * out_stride) = stage[i];
    }
  });
}

template <class Element, class Test>
void unary_test(const Call& call, Test test) {
  const auto walk = Walk<2>::of(call);
  const std::int64_t out_stride = walk.inner_stride(0), x_stride = walk.inner_stride(1);
  walk.runs(piece(call, walk.count, 64), [&](std::byte* const* pointer, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      pointer[0][i * out_stride] = std::byte(test(*reinterpret_cast<const Element*>(pointer[1] + i * x_stride)));
  });
}

// Whole numbers: sums wrap, bounds are cut to whole ones.
template <class Integer>
Integer whole_function(Function function, Integer x, double alpha, double beta) {
  using Bits = std::make_unsigned_t<Integer>;
  const auto whole = [](double value) {
    constexpr double least = double(std::numeric_limits<Integer>::min()), most = double(std::numeric_limits<Integer>::max());
    return value <= least ? std::numeric_limits<Integer>::min() : value >= most ? std::numeric_limits<Integer>::max() : Integer(value);
  };
  switch (function) {
    case Function::relu: return x < 0 ? 0 : x;
    case Function::clip:
      if (double(x) < alpha) x = whole(alpha);
      return double(x) > beta ? whole(beta) : x;
    case Function::abs: return x < 0 ? Integer(-Bits(x)) : x;
    case Function::neg: return Integer(-Bits(x));
    case Function::square: return Integer(Bits(x) * Bits(x));
    case Function::sign: return Integer((x > 0) - (x < 0));
    default: return x;
  }
}

template <class Integer>
void unary_whole(const Call& call, Function function) {
  const auto walk = Walk<2>::of(call);
  const double alpha = call.real(1), beta = call.real(2);
  const std::int64_t out_stride = walk.inner_stride(0), x_stride = walk.inner_stride(1);
  walk.runs(piece(call, walk.count, 64), [&](std::byte* const* pointer, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      *reinterpret_cast<Integer*>(pointer[0] + i * out_stride) =
          whole_function<Integer>(function, *reinterpret_cast<const Integer*>(pointer[1] + i * x_stride), alpha, beta);
  });
}

void unary(const Call& call) {
  const auto function = Function(call.parameter[0]);
  if (call.operand[1].format == Format::int32) return unary_whole<std::int32_t>(call, function);
  if (call.operand[1].format == Format::int64) return unary_whole<std::int64_t>(call, function);
  if (function == Function::logical_not) return unary_test<std::uint8_t>(call, [](std::uint8_t v) { return v == 0; });
  if (function == Function::isnan) return unary_test<float>(call, [](float v) { return v != v; });
  unary_float(call);
}

}  // namespace netwright::NETWRIGHT_ISA
