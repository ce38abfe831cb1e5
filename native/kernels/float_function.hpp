// The scalar functions of graph/ops/function.py on eight lanes.
// Errors against exact values, over all finite inputs: exp, log 2 ulp; tanh, sigmoid 4 ulp; erf 2e-7 absolute.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/float_vector.hpp"

namespace netwright {

// Order of the names in graph/ops/function.py: part of the file format.
enum class Function : int {
  identity, relu, clip, leaky_relu, elu, selu, sigmoid, hard_sigmoid, hard_swish, silu, gelu, gelu_tanh, tanh,
  exp, log, sqrt, rsqrt, reciprocal, abs, neg, floor, ceil, round, erf, sin, cos, softplus, mish, square, sign,
  logical_not, isnan, scale, scaled_hard_swish,
};
inline constexpr int kNumFunctions = 34;

}  // namespace netwright

namespace netwright::NETWRIGHT_ISA {

NETWRIGHT_INLINE Vec polynomial(Vec, Vec sum) { return sum; }
template <class... Rest>
NETWRIGHT_INLINE Vec polynomial(Vec x, Vec sum, float next, Rest... rest) {
  return polynomial(x, fma(sum, x, splat(next)), rest...);
}

// exp(x) = 2^n e^r, |r| <= ln2/2 (Cephes expf); the power of two in two steps, so that both ends of the range are right.
NETWRIGHT_INLINE Vec exp(Vec x) {
  x = min(splat(89.0f), max(splat(-104.0f), x));
  const Vec n = round_even(x * 1.44269504088896341f);
  Vec r = fma(n, splat(-0.693359375f), x);
  r = fma(n, splat(2.12194440e-4f), r);
  Vec p = polynomial(r, splat(1.9875691500e-4f), 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                     1.6666665459e-1f, 5.0000001201e-1f);
  p = fma(p, r * r, r) + 1.0f;
  const IntVec whole = to_int(n);
  const IntVec half = whole >> 1;
  return p * as_float((half + 127) << 23) * as_float((whole - half + 127) << 23);
}

// Cephes logf; subnormals are scaled up first.
NETWRIGHT_INLINE Vec log(Vec x) {
  const IntVec tiny = x < std::numeric_limits<float>::min();
  const Vec scaled = select(tiny, x * 8388608.0f, x);
  const IntVec bits = as_bits(scaled);
  Vec exponent = to_float(((bits >> 23) & 0xff) - 126) - select(tiny, splat(23.0f), Vec{});
  Vec m = as_float((bits & 0x007fffff) | 0x3f000000);
  const IntVec low = m < 0.707106781186547524f;
  exponent = exponent - select(low, splat(1.0f), Vec{});
  m = m - 1.0f + select(low, m, Vec{});
  const Vec z = m * m;
  Vec y = polynomial(m, splat(7.0376836292e-2f), -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f,
                     1.4249322787e-1f, -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f);
  y = y * m * z;
  y = fma(exponent, splat(-2.12194440e-4f), y);
  y = fma(z, splat(-0.5f), y);
  Vec result = fma(exponent, splat(0.693359375f), m + y);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  result = select(x == 0.0f, splat(-infinity), result);
  result = select(x == infinity, x, result);
  return select((x < 0.0f) | (x != x), splat(std::numeric_limits<float>::quiet_NaN()), result);
}

NETWRIGHT_INLINE Vec tanh(Vec x) {
  const Vec magnitude = abs(x);
  const Vec e = exp(magnitude * -2.0f);
  const Vec far = (1.0f - e) / (1.0f + e);
  const Vec z = x * x;
  const Vec near = fma(polynomial(z, splat(-5.70498872745e-3f), 2.06390887954e-2f, -5.37397155531e-2f,
                                  1.33314422036e-1f, -3.33332819422e-1f) * z, magnitude, magnitude);
  const Vec result = select(magnitude < 0.625f, near, far);
  return as_float(as_bits(result) | (as_bits(x) & IntVec(as_bits(splat(-0.0f)))));
}

NETWRIGHT_INLINE Vec sigmoid(Vec x) { return 1.0f / (1.0f + exp(-x)); }

// Rational minimax form on [-4, 4] (as in Eigen's generic erf); 1 beyond it to fp32's last place.
NETWRIGHT_INLINE Vec erf(Vec x) {
  const Vec c = min(splat(4.0f), max(splat(-4.0f), x));
  const Vec z = c * c;
  const Vec above = polynomial(z, splat(-2.72614225801306e-10f), 2.77068142495902e-08f, -2.10102402082508e-06f,
                               -5.69250639462346e-05f, -7.34990630326855e-04f, -2.95459980854025e-03f,
                               -1.60960333262415e-02f);
  const Vec below = polynomial(z, splat(-1.45660718464996e-05f), -2.13374055278905e-04f, -1.68282697438203e-03f,
                               -7.37332916720468e-03f, -1.42647390514189e-02f);
  return c * above / below;
}

NETWRIGHT_INLINE Vec clamp(Vec x, Vec low, Vec high) { return min(high, max(low, x)); }  // NaN stays NaN

template <class Scalar>
NETWRIGHT_INLINE Vec lanes(Vec x, Scalar scalar) {
  for (int i = 0; i < kLanes; ++i) x[i] = scalar(x[i]);
  return x;
}

template <Function function>
NETWRIGHT_INLINE Vec evaluate(Vec x, Vec alpha, Vec beta) {
  using enum Function;
  const Vec zero{};
  if constexpr (function == relu) return max(zero, x);
  else if constexpr (function == clip) return clamp(x, alpha, beta);
  else if constexpr (function == leaky_relu) return select(x < 0.0f, x * alpha, x);
  else if constexpr (function == elu) return select(x < 0.0f, alpha * (NETWRIGHT_ISA::exp(x) - 1.0f), x);
  else if constexpr (function == selu)
    return 1.0507009873554805f * select(x < 0.0f, 1.6732632423543772f * (NETWRIGHT_ISA::exp(x) - 1.0f), x);
  else if constexpr (function == sigmoid) return NETWRIGHT_ISA::sigmoid(x);
  else if constexpr (function == hard_sigmoid) return clamp(fma(x, alpha, beta), zero, splat(1.0f));
  else if constexpr (function == hard_swish) return x * clamp(fma(x, splat(1.0f / 6.0f), splat(0.5f)), zero, splat(1.0f));
  else if constexpr (function == silu) return x * NETWRIGHT_ISA::sigmoid(x);
  else if constexpr (function == gelu) return 0.5f * x * (1.0f + NETWRIGHT_ISA::erf(x * 0.70710678118654752f));
  else if constexpr (function == gelu_tanh)
    return 0.5f * x * (1.0f + NETWRIGHT_ISA::tanh(0.7978845608028654f * fma(x * x * x, splat(0.044715f), x)));
  else if constexpr (function == tanh) return NETWRIGHT_ISA::tanh(x);
  else if constexpr (function == exp) return NETWRIGHT_ISA::exp(x);
  else if constexpr (function == log) return NETWRIGHT_ISA::log(x);
  else if constexpr (function == sqrt) return NETWRIGHT_ISA::sqrt(x);
  else if constexpr (function == rsqrt) return 1.0f / NETWRIGHT_ISA::sqrt(x);
  else if constexpr (function == reciprocal) return 1.0f / x;
  else if constexpr (function == Function::abs) return NETWRIGHT_ISA::abs(x);
  else if constexpr (function == neg) return -x;
  else if constexpr (function == Function::floor) return NETWRIGHT_ISA::floor(x);
  else if constexpr (function == Function::ceil) return NETWRIGHT_ISA::ceil(x);
  else if constexpr (function == round) return round_even(x);
  else if constexpr (function == Function::erf) return NETWRIGHT_ISA::erf(x);
  else if constexpr (function == sin) return lanes(x, [](float v) { return std::sin(v); });
  else if constexpr (function == cos) return lanes(x, [](float v) { return std::cos(v); });
  else if constexpr (function == softplus)
    return lanes(x, [](float v) { return std::fmax(v, 0.0f) + std::log1p(std::exp(-std::fabs(v))); });
  else if constexpr (function == mish)
    return lanes(x, [](float v) { return v * std::tanh(std::fmax(v, 0.0f) + std::log1p(std::exp(-std::fabs(v)))); });
  else if constexpr (function == square) return x * x;
  else if constexpr (function == sign)
    return select(x > 0.0f, splat(1.0f), select(x < 0.0f, splat(-1.0f), x));
  else if constexpr (function == scale) return fma(x, alpha, beta);
  else if constexpr (function == scaled_hard_swish) return fma(evaluate<hard_swish>(x, alpha, beta), alpha, beta);
  else return x;
}

// out[i] = f(x[i]) for i < count, contiguous; out may be x.
using FunctionLoop = void (*)(float* out, const float* x, std::int64_t count, float alpha, float beta);
FunctionLoop function_loop(Function function);

}  // namespace netwright::NETWRIGHT_ISA
