// binary: out = f(operator(a, b)) with broadcasting by stride 0, and where.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/float_function.hpp"
#include "kernels/float_kernels.hpp"
#include "kernels/float_walk.hpp"

namespace netwright {

// Order of the names in graph/ops/elementwise.py: part of the file format.
enum class Operator : int {
  add, sub, mul, div, pow, max, min, mod, equal, less, less_equal, greater, greater_equal, logical_and, logical_or,
  logical_xor,
};
inline constexpr int kNumOperators = 16;
inline constexpr int kFirstComparison = int(Operator::equal);

}  // namespace netwright

namespace netwright::NETWRIGHT_ISA {

template <Operator op>
NETWRIGHT_INLINE Vec combine(Vec a, Vec b) {
  using enum Operator;
  if constexpr (op == add) return a + b;
  else if constexpr (op == sub) return a - b;
  else if constexpr (op == mul) return a * b;
  else if constexpr (op == div) return a / b;
  else if constexpr (op == Operator::max) return select((a > b) | (a != a), a, b);
  else if constexpr (op == Operator::min) return select((a < b) | (a != a), a, b);
  else {
    for (int i = 0; i < kLanes; ++i) a[i] = op == pow ? std::pow(a[i], b[i]) : std::fmod(a[i], b[i]);
    return a;
  }
}

// Whole numbers wrap; a division by zero gives 0; mod takes the divisor's sign, as ONNX (fmod = 0) and Python.
template <Operator op, class Integer>
Integer combine_integer(Integer a, Integer b) {
  using enum Operator;
  using Bits = std::make_unsigned_t<Integer>;
  if constexpr (op == add) return Integer(Bits(a) + Bits(b));
  else if constexpr (op == sub) return Integer(Bits(a) - Bits(b));
  else if constexpr (op == mul) return Integer(Bits(a) * Bits(b));
  else if constexpr (op == div) return b == 0 ? 0 : b == -1 ? Integer(-Bits(a)) : Integer(a / b);
  else if constexpr (op == Operator::max) return std::max(a, b);
  else if constexpr (op == Operator::min) return std::min(a, b);
  else if constexpr (op == mod) {
    if (b == 0 || b == -1) return 0;
    const Integer rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? Integer(rest + b) : rest;
  } else {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
    Bits result = 1, base = Bits(a);
    for (; b; b >>= 1, base *= base) result *= b & 1 ? base : 1;
    return Integer(result);
  }
}

template <Operator op, class Element>
bool compare(Element a, Element b) {
  using enum Operator;
  if constexpr (op == equal) return a == b;
  else if constexpr (op == less) return a < b;
  else if constexpr (op == less_equal) return a <= b;
  else if constexpr (op == greater) return a > b;
  else if constexpr (op == greater_equal) return a >= b;
  else if constexpr (op == logical_and) return a && b;
  else if constexpr (op == logical_or) return a || b;
  else return bool(a) != bool(b);
}

inline constexpr std::int64_t kStage = 512;  // elements of one side staged on the stack at a time

// A side of a run: where it lies when contiguous, else a staged copy (made once when the side is one repeated element).
class Side {
 public:
  Side(const std::byte* data, std::int64_t stride, std::int64_t run) : data_(data), stride_(stride) {
    if (stride == 0) std::fill(stage_, stage_ + std::min(kStage, (run + kLanes - 1) / kLanes * kLanes), *reinterpret_cast<const float*>(data));
  }
  const float* chunk(std::int64_t at, std::int64_t count) {
    if (stride_ == 4) return reinterpret_cast<const float*>(data_) + at;
    if (stride_ != 0)
      for (std::int64_t i = 0; i < count; ++i) stage_[i] = *reinterpret_cast<const float*>(data_ + (at + i) * stride_);
    return stage_;
  }

 private:
  const std::byte* data_;
  std::int64_t stride_;
  float stage_[kStage];
};

template <Operator op>
void binary_float(const Call& call) {
  const auto walk = Walk<3>::of(call);
  const auto function = Function(call.parameter[1]);
  const FunctionLoop loop = function == Function::identity ? nullptr : function_loop(function);
  const float alpha = float(call.real(2)), beta = float(call.real(3));
  const std::int64_t out_stride = walk.inner_stride(0);
  walk.runs(piece(call, walk.count, 64), [&](std::byte* const* pointer, std::int64_t count) {
    Side a(pointer[1], walk.inner_stride(1), count), b(pointer[2], walk.inner_stride(2), count);
    float stage[kStage];
    for (std::int64_t at = 0; at < count; at += kStage) {
      const std::int64_t now = std::min(kStage, count - at);
      const float *from_a = a.chunk(at, now), *from_b = b.chunk(at, now);
      float* to = out_stride == 4 ? reinterpret_cast<float*>(pointer[0]) + at : stage;
      std::int64_t i = 0;
      for (; i + kLanes <= now; i += kLanes) store(to + i, combine<op>(load(from_a + i), load(from_b + i)));
      if (const int left = int(now - i)) store_part(to + i, combine<op>(load_part(from_a + i, left), load_part(from_b + i, left, 1.0f)), left);
      if (loop) loop(to, to, now, alpha, beta);
      if (to == stage)
        for (i = 0; i < now; ++i) *reinterpret_cast<float*>(pointer[0] + (at + i) * out_stride) = stage[i];
    }
  });
}

template <class Result, class Element, class Combine>
void binary_plain(const Call& call, Combine combine) {
  const auto walk = Walk<3>::of(call);
  const std::int64_t to = walk.inner_stride(0), a = walk.inner_stride(1), b = walk.inner_stride(2);
  walk.runs(piece(call, walk.count, 64), [&](std::byte* const* pointer, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      *reinterpret_cast<Result*>(pointer[0] + i * to) =
          combine(*reinterpret_cast<const Element*>(pointer[1] + i * a), *reinterpret_cast<const Element*>(pointer[2] + i * b));
  });
}

template <int code>
void binary_of(const Call& call) {
  constexpr auto op = Operator(code);
  const Format format = call.operand[1].format;
  if constexpr (code < kFirstComparison) {
    if (format == Format::fp32) binary_float<op>(call);
    else if (format == Format::int32) binary_plain<std::int32_t, std::int32_t>(call, combine_integer<op, std::int32_t>);
    else binary_plain<std::int64_t, std::int64_t>(call, combine_integer<op, std::int64_t>);
  } else {
    if (format == Format::fp32) binary_plain<std::uint8_t, float>(call, compare<op, float>);
    else if (format == Format::int32) binary_plain<std::uint8_t, std::int32_t>(call, compare<op, std::int32_t>);
    else if (format == Format::int64) binary_plain<std::uint8_t, std::int64_t>(call, compare<op, std::int64_t>);
    else binary_plain<std::uint8_t, std::uint8_t>(call, compare<op, std::uint8_t>);
  }
}

void binary(const Call& call) {
  [&]<int... codes>(std::integer_sequence<int, codes...>) {
    static constexpr Kernel kernels[] = {binary_of<codes>...};
    kernels[call.parameter[0]](call);
  }(std::make_integer_sequence<int, kNumOperators>{});
}

template <class Element>
void where_plain(const Call& call) {
  const auto walk = Walk<4>::of(call);
  const std::int64_t to = walk.inner_stride(0), c = walk.inner_stride(1), a = walk.inner_stride(2), b = walk.inner_stride(3);
  walk.runs(piece(call, walk.count, 64), [&](std::byte* const* pointer, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::byte* from = pointer[1][i * c] != std::byte{} ? pointer[2] + i * a : pointer[3] + i * b;
      *reinterpret_cast<Element*>(pointer[0] + i * to) = *reinterpret_cast<const Element*>(from);
    }
  });
}

void where(const Call& call) {
  switch (call.operand[0].format) {
    case Format::fp32: return where_plain<float>(call);
    case Format::int32: return where_plain<std::int32_t>(call);
    case Format::int64: return where_plain<std::int64_t>(call);
    default: return where_plain<std::uint8_t>(call);
  }
}

}  // namespace netwright::NETWRIGHT_ISA
