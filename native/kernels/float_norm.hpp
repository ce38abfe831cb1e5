// softmax and layer_norm: a row at a time, three passes over it while it is close.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/float_function.hpp"
#include "kernels/float_kernels.hpp"
#include "kernels/float_rows.hpp"

namespace netwright::NETWRIGHT_ISA {

inline void softmax_row(float* out, const float* x, std::int64_t count, bool logarithm) {
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  Vec best = splat(lowest);
  each_vector(count, [&](std::int64_t i, auto lanes) { best = max(best, read(x + i, lanes, lowest)); });
  const float top = max_lanes(best);
  // A row of -inf alone (all masked) would give NaN everywhere, as it does in the definition.
  Vec sum{};
  each_vector(count, [&](std::int64_t i, auto lanes) {
    const Vec shifted = read(x + i, lanes, lowest) - top;
    const Vec e = NETWRIGHT_ISA::exp(shifted);
    sum += e;
    write(out + i, logarithm ? shifted : e, lanes);
  });
  const float total = sum_lanes(sum);
  const Vec factor = splat(1.0f / total), offset = splat(logarithm ? std::log(total) : 0.0f);
  each_vector(count, [&](std::int64_t i, auto lanes) {
    const Vec value = read(out + i, lanes);
    write(out + i, logarithm ? value - offset : value * factor, lanes);
  });
}

void softmax(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const Piece mine = piece(call, out.shape[0]);
  for (std::int64_t row = mine.begin; row < mine.end; ++row)
    softmax_row(reinterpret_cast<float*>(out.data + row * out.stride[0]), reinterpret_cast<const float*>(x.data + row * x.stride[0]),
                out.shape[1], call.parameter[0] != 0);
}

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias; x already holds the residual.
inline void normalise_row(float* out, const float* x, const float* scale, const float* bias, std::int64_t count, double epsilon) {
  Vec sum{}, squares{};
  each_vector(count, [&](std::int64_t i, auto lanes) { sum += read(x + i, lanes); });
  const float mean = sum_lanes(sum) / float(count);
  each_vector(count, [&](std::int64_t i, auto lanes) {
    const Vec centred = read(x + i, lanes, mean) - mean;
    squares = fma(centred, centred, squares);
  });
  const Vec factor = splat(float(1.0 / std::sqrt(double(sum_lanes(squares)) / double(count) + epsilon)));
  each_vector(count, [&](std::int64_t i, auto lanes) {
    const Vec value = (read(x + i, lanes) - mean) * factor;
    const Vec weight = scale ? read(scale + i, lanes) : splat(1.0f);
    write(out + i, fma(value, weight, bias ? read(bias + i, lanes) : Vec{}), lanes);
  });
}

void layer_norm(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const auto scale = reinterpret_cast<const float*>(call.operand[2].data);
  const auto bias = call.num_operands > 3 ? reinterpret_cast<const float*>(call.operand[3].data) : nullptr;
  const Operand* residual = call.num_operands > 4 && call.operand[4].data ? &call.operand[4] : nullptr;
  const std::int64_t count = out.shape[1];
  const Piece mine = piece(call, out.shape[0]);
  for (std::int64_t row = mine.begin; row < mine.end; ++row) {
    const auto to = reinterpret_cast<float*>(out.data + row * out.stride[0]);
    auto from = reinterpret_cast<const float*>(x.data + row * x.stride[0]);
    if (residual) {
      const auto other = reinterpret_cast<const float*>(residual->data + row * residual->stride[0]);
      each_vector(count, [&](std::int64_t i, auto lanes) { write(to + i, read(from + i, lanes) + read(other + i, lanes), lanes); });
      from = to;
    }
    normalise_row(to, from, scale, bias, count, call.real(0));
  }
}

}  // namespace netwright::NETWRIGHT_ISA
