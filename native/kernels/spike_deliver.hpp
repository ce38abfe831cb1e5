// Spikes to their targets: rows of a dense matrix, one after another; and sparse rows of sequences.
// A target's sum is taken in the order of the spikes, whatever the pieces.
#pragma once

#include <algorithm>

#include "kernels/float_vector.hpp"
#include "kernels/spike_kernels.hpp"
#include "kernels/spike_listed.hpp"
#include "kernels/spike_shape.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

using namespace netwright::spike;

// to[i] += sum over `rows` of matrix[row, i], for i in [0, count); a row's factor is 1 or factors[r].
template <bool kScaled>
void add_rows(float* to, const std::byte* matrix, std::int64_t stride, const std::int32_t* rows, const float* factors,
              std::int64_t num_rows, std::int64_t count) {
  constexpr int kWide = 8;  // vectors held at once
  const auto row = [&](std::int64_t r) { return reinterpret_cast<const float*>(matrix + rows[r] * stride); };
  const auto term = [&](std::int64_t r, Vec w) { return kScaled ? splat(factors[r]) * w : w; };
  std::int64_t i = 0;
  for (; i + kWide * kLanes <= count; i += kWide * kLanes) {
    Vec sum[kWide];
    for (int k = 0; k < kWide; ++k) sum[k] = load(to + i + k * kLanes);
    for (std::int64_t r = 0; r < num_rows; ++r)
      for (int k = 0; k < kWide; ++k) sum[k] = sum[k] + term(r, load(row(r) + i + k * kLanes));
    for (int k = 0; k < kWide; ++k) store(to + i + k * kLanes, sum[k]);
  }
  for (; i < count; i += kLanes) {
    const int part = int(std::min<std::int64_t>(kLanes, count - i));
    Vec sum = load_part(to + i, part);
    for (std::int64_t r = 0; r < num_rows; ++r) sum = sum + term(r, load_part(row(r) + i, part));
    store_part(to + i, sum, part);
  }
}

}  // namespace

void spike_rows(const Call& call) {
  const Operand &sum = call.operand[0], &ring = call.operand[2], &weight = call.operand[3];
  const auto list = reinterpret_cast<std::int32_t*>(call.workspace);
  const std::byte* row = ring_row(ring, later(clock_of(call.operand[1]), -call.parameter[0]));
  const std::int64_t spikes = listed(row, call.parameter[1], call.parameter[2], list);
  const Piece mine = block_of(weight.shape[1], call.part, call.parts);
  const auto to = reinterpret_cast<float*>(sum.data) + mine.begin;
  if (call.parameter[3]) std::fill(to, to + (mine.end - mine.begin), 0.0f);
  add_rows<false>(to, weight.data + 4 * mine.begin, weight.stride[0], list, nullptr, spikes, mine.end - mine.begin);
}

void matmul_spikes(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1], &weight = call.operand[2], &bias = call.operand[3];
  const std::int64_t inputs = weight.shape[0], outputs = weight.shape[1];
  const auto list = reinterpret_cast<std::int32_t*>(call.workspace);
  const auto factor = reinterpret_cast<float*>(call.workspace) + (inputs + kLanes);
  const Piece mine = piece(call, out.shape[0]);
  for (std::int64_t r = mine.begin; r < mine.end; ++r) {
    const auto from = reinterpret_cast<const float*>(x.data + r * x.stride[0]);
    const auto [found, ones] = listed_values(from, inputs, list, factor);
    const auto to = reinterpret_cast<float*>(out.data + r * out.stride[0]);
    if (bias.data) std::memcpy(to, bias.data, static_cast<std::size_t>(4 * outputs));
    else std::fill(to, to + outputs, 0.0f);
    ones ? add_rows<false>(to, weight.data, weight.stride[0], list, factor, found, outputs)
         : add_rows<true>(to, weight.data, weight.stride[0], list, factor, found, outputs);
  }
}

}  // namespace netwright::NETWRIGHT_ISA
