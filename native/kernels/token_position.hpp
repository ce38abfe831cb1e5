// rope and cache_append. Included once by each instruction set's file.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/quant_opcodes.hpp"
#include "kernels/token_limits.hpp"
#include "kernels/token_vector.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

struct Rotation {
  float cosine[kMaxRotary / 2 + 4];
  float sine[kMaxRotary / 2 + 4];
};

// The angles of one position. Factors divide the frequencies (llama 3 long contexts).
void fill_rotation(Rotation& rotation, const float* factors, double base, std::int64_t rotary, std::int64_t position) {
  const double step = -2.0 / static_cast<double>(rotary) * std::log2(base);
  const std::int64_t pairs = rotary / 2;
  for (std::int64_t j = 0; j < pairs; j += 4) {
    const auto at = static_cast<double>(j);
    Doubles frequency = power_of_two(Doubles{at, at + 1, at + 2, at + 3} * step);
    if (factors != nullptr)
      for (int i = 0; i < 4; ++i) frequency[i] /= static_cast<double>(factors[std::min(j + i, pairs - 1)]);
    const Angle turned = angle(frequency * static_cast<double>(position));
    for (int i = 0; i < 4; ++i) {
      rotation.cosine[j + i] = static_cast<float>(turned.cosine[i]);
      rotation.sine[j + i] = static_cast<float>(turned.sine[i]);
    }
  }
}

void rotate_neighbours(float* x, const Rotation& rotation, std::int64_t pairs) {
  for (std::int64_t j = 0; j < pairs; ++j) {
    const float a = x[2 * j], b = x[2 * j + 1];
    x[2 * j] = a * rotation.cosine[j] - b * rotation.sine[j];
    x[2 * j + 1] = a * rotation.sine[j] + b * rotation.cosine[j];
  }
}

void rotate_halves(float* x, const Rotation& rotation, std::int64_t pairs) {
  float* y = x + pairs;
  for (std::int64_t j = 0; j < pairs; ++j) {
    const float a = x[j], b = y[j];
    x[j] = a * rotation.cosine[j] - b * rotation.sine[j];
    y[j] = a * rotation.sine[j] + b * rotation.cosine[j];
  }
}

}  // namespace

void rope(const Call& call) {
  const Operand& x = call.operand[0];
  const float* factors = call.num_operands > 1 ? reinterpret_cast<const float*>(call.operand[1].data) : nullptr;
  const std::int64_t heads = x.shape[1], rotary = call.parameter[1];
  const auto [begin, end] = piece(call, x.shape[0] * heads);
  Rotation rotation;
  std::int64_t filled = -1;
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const std::int64_t token = unit / heads;
    if (token != filled) fill_rotation(rotation, factors, call.real(0), rotary, call.parameter[2] + token);
    filled = token;
    float* row = reinterpret_cast<float*>(x.data + token * x.stride[0] + unit % heads * x.stride[1]);
    if (call.parameter[3] != 0) rotate_neighbours(row, rotation, rotary / 2);
    else rotate_halves(row, rotation, rotary / 2);
  }
}

void cache_append(const Call& call) {
  const Operand &cache = call.operand[0], &x = call.operand[1];
  const std::int64_t heads = x.shape[1], width = x.shape[2];
  const auto [begin, end] = piece(call, x.shape[0] * heads);
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const std::int64_t token = unit / heads, head = unit % heads;
    const std::byte* from = x.data + token * x.stride[0] + head * x.stride[1];
    std::byte* to = cache.data + (call.parameter[0] + token) * cache.stride[0] + head * cache.stride[1];
    if (cache.format == Format::fp32) {
      std::memcpy(to, from, static_cast<std::size_t>(width) * 4);
      continue;
    }
    const auto values = reinterpret_cast<const float*>(from);
    const auto halves = reinterpret_cast<std::uint16_t*>(to);
    std::int64_t i = 0;
    for (; i + kLanes <= width; i += kLanes) store_half(halves + i, load(values + i));
    for (; i < width; ++i) halves[i] = float_to_half(values[i]);
  }
}

}  // namespace netwright::NETWRIGHT_ISA
