// group_norm: each group of channels of an image by its own mean and variance; x [N, C, S] of any strides.
#pragma once

#include <cmath>
#include <utility>

#include "kernels/float_kernels.hpp"
#include "kernels/float_rows.hpp"

namespace netwright::NETWRIGHT_ISA {

// A group as runs: `outer` runs of `inner` elements; `inner` is whichever of channels and places is contiguous.
struct GroupRuns {
  const std::byte* x;
  std::byte* out;
  std::int64_t outer, inner, x_outer, x_inner, out_outer, out_inner;
  bool channels_inside;
};

// each(x run, out run, outer index) with runs of floats; strided ones go element by element.
template <class Take>
void sum_runs(const GroupRuns& runs, Take&& take) {
  for (std::int64_t o = 0; o < runs.outer; ++o) {
    const std::byte* from = runs.x + o * runs.x_outer;
    if (runs.x_inner == 4) {
      each_vector(runs.inner, [&](std::int64_t i, auto lanes) { take(reinterpret_cast<const float*>(from) + i, lanes); });
    } else {
      for (std::int64_t i = 0; i < runs.inner; ++i) take(reinterpret_cast<const float*>(from + i * runs.x_inner), 1);
    }
  }
}

inline void write_group(const GroupRuns& runs, const float* scale, const float* bias, float mean, float factor) {
  for (std::int64_t o = 0; o < runs.outer; ++o) {
    const std::byte* from = runs.x + o * runs.x_outer;
    std::byte* to = runs.out + o * runs.out_outer;
    const bool whole = runs.x_inner == 4 && runs.out_inner == 4;
    const auto affine = [&](std::int64_t i, auto lanes) {
      const Vec weight = runs.channels_inside ? read(scale + i, lanes) : splat(scale[o]);
      const Vec shift = runs.channels_inside ? read(bias + i, lanes) : splat(bias[o]);
      const Vec x = read(reinterpret_cast<const float*>(from + i * runs.x_inner), lanes);
      write(reinterpret_cast<float*>(to + i * runs.out_inner), fma((x - mean) * factor, weight, shift), lanes);
    };
    if (whole) each_vector(runs.inner, affine);
    else
      for (std::int64_t i = 0; i < runs.inner; ++i) affine(i, 1);
  }
}

void group_norm(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const auto scale = reinterpret_cast<const float*>(call.operand[2].data), bias = reinterpret_cast<const float*>(call.operand[3].data);
  const std::int64_t groups = call.parameter[0], channels = x.shape[1] / groups, places = x.shape[2];
  const bool inside = x.stride[1] == 4 && x.stride[2] != 4;
  const Piece mine = piece(call, x.shape[0] * groups);
  for (std::int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const std::int64_t image = unit / groups, first = unit % groups * channels;
    GroupRuns runs{x.data + image * x.stride[0] + first * x.stride[1], out.data + image * out.stride[0] + first * out.stride[1],
                   channels, places, x.stride[1], x.stride[2], out.stride[1], out.stride[2], inside};
    if (inside) {
      std::swap(runs.outer, runs.inner), std::swap(runs.x_outer, runs.x_inner), std::swap(runs.out_outer, runs.out_inner);
    }
    const double count = double(channels) * double(places);
    // A run's lanes are folded into a double before they can lose digits.
    double sum = 0, squares = 0;
    Vec lanes_sum{};
    std::int64_t pending = 0;
    const auto flush = [&](double& total) { total += double(sum_lanes(lanes_sum)), lanes_sum = Vec{}, pending = 0; };
    sum_runs(runs, [&](const float* from, auto lanes) {
      lanes_sum += read(from, lanes);
      if (++pending == 64) flush(sum);
    });
    flush(sum);
    const auto mean = float(sum / count);
    sum_runs(runs, [&](const float* from, auto lanes) {
      const Vec centred = read(from, lanes, mean) - mean;
      lanes_sum = fma(centred, centred, lanes_sum);
      if (++pending == 64) flush(squares);
    });
    flush(squares);
    write_group(runs, scale + first, bias + first, mean, float(1.0 / std::sqrt(squares / count + call.real(1))));
  }
}

}  // namespace netwright::NETWRIGHT_ISA
