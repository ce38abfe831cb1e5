// Scores of some rows against a block of keys become weights, and the rows' running statistics follow
// (Milakov & Gimelshein 2018, arXiv:1805.02867). Eight rows at a time, so that no fold of lanes is waited for.
#pragma once

#include <limits>

#include "kernels/attention_tile.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

inline constexpr float kNothing = -std::numeric_limits<float>::infinity();

// Of every row: the largest score yet, the sum of weights against it, and what earlier sums are multiplied with now.
struct Statistics {
  float *largest, *total, *factor;
};

// Columns [begin, end) of up to eight rows; a lane of the result is a row, kNothing where there is none.
NETWRIGHT_INLINE Vec tops(const float* score, std::int64_t rows, std::int64_t begin, std::int64_t end) {
  Vec top[8];
  for (int row = 0; row < 8; ++row) {
    top[row] = splat(kNothing);
    if (row >= rows) continue;
    const float* from = score + row * kKeys;
    for (std::int64_t j = begin; j < end; j += 8) top[row] = max(top[row], load(from + j));
  }
  transpose_eight(top);
  const Vec low = max(max(top[0], top[1]), max(top[2], top[3])), high = max(max(top[4], top[5]), max(top[6], top[7]));
  return max(low, high);
}

// Columns [begin, end), multiples of eight, of up to eight rows of scores.
NETWRIGHT_INLINE void weigh_eight(float* score, std::int64_t rows, std::int64_t begin, std::int64_t end, const Statistics& of) {
  const int count = static_cast<int>(rows);
  const Vec before = load_part(of.largest, count, kNothing);
  const Vec largest = max(tops(score, rows, begin, end), before);
  // A row that has seen no key yet: any finite reference gives weights of zero.
  const Vec reference = select(largest == kNothing, Vec{}, largest);
  Vec sum[8] = {};
  for (int row = 0; row < count; ++row) {
    float* at = score + row * kKeys;
    const Vec less = splat(reference[row]);
    Vec total{};
    for (std::int64_t j = begin; j < end; j += 8) {
      const Vec weight = exp_below_zero(load(at + j) - less);
      store(at + j, weight);
      total += weight;
    }
    sum[row] = total;
  }
  transpose_eight(sum);
  const Vec folded = ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
  const Vec factor = select(before == largest, splat(1.0f), exp_below_zero(before - reference));
  store_part(of.total, load_part(of.total, count) * factor + folded, count);
  store_part(of.largest, largest, count);
  store_part(of.factor, factor, count);
}

}  // namespace
}  // namespace netwright::NETWRIGHT_ISA
