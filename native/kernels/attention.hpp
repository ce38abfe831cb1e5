// Exact attention, tiled, with the softmax kept running (Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022,
// arXiv:2205.14135). A tile is some rows of one head group's (token, head) list against some keys, so that each key and
// value is read once for a group. Tiles of keys start at multiples of kKeys: a row's result depends on nothing else.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>

#include "kernels/attention_shape.hpp"
#include "kernels/float_function.hpp"
#include "kernels/quant_opcodes.hpp"
#include "kernels/token_vector.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

// e^x for x <= 0, below 2 ulp; 0 under -87 (Cephes expf with one scaling, which that range allows).
NETWRIGHT_INLINE Vec exp_below_zero(Vec x) {
  const Vec kept = max(x, splat(-87.0f));
  const Vec n = round_even(kept * 1.44269504088896341f);
  Vec r = fma(n, splat(-0.693359375f), kept);
  r = fma(n, splat(2.12194440e-4f), r);
  Vec p = polynomial(r, splat(1.9875691500e-4f), 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                     1.6666665459e-1f, 5.0000001201e-1f);
  p = fma(p, r * r, r) + 1.0f;
  const Vec value = p * as_float((to_int(n) + 127) << 23);
  return as_float(as_bits(value) & IntVec(x >= -87.0f));
}

// c[row] = factor[row] * c[row] + sum over depth of a[row][k] * b[k], kVecs lanes of eight; without a factor c is not read.
template <int kRows, int kVecs>
NETWRIGHT_INLINE void multiply_tile(float* c, std::int64_t c_stride, const float* a, std::int64_t a_stride, const float* b,
                                    std::int64_t b_stride, std::int64_t depth, const float* factor) {
  Vec sum[kRows][kVecs] = {};
  if (factor != nullptr)
    for (int row = 0; row < kRows; ++row)
      for (int v = 0; v < kVecs; ++v) sum[row][v] = load(c + row * c_stride + 8 * v) * factor[row];
  for (std::int64_t k = 0; k < depth; ++k) {
    Vec right[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) right[v] = load(b + k * b_stride + 8 * v);
#pragma GCC unroll 6
    for (int row = 0; row < kRows; ++row) {
      const Vec left = splat(a[row * a_stride + k]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sum[row][v] = fma(left, right[v], sum[row][v]);
    }
  }
#pragma GCC unroll 6
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) store(c + row * c_stride + 8 * v, sum[row][v]);
}

template <int kVecs>
void multiply_rows(std::int64_t rows, float* c, std::int64_t c_stride, const float* a, std::int64_t a_stride, const float* b,
                   std::int64_t b_stride, std::int64_t depth, const float* factor) {
  const auto step = [&]<int kRows>(std::int64_t row) {
    multiply_tile<kRows, kVecs>(c + row * c_stride, c_stride, a + row * a_stride, a_stride, b, b_stride, depth,
                                factor == nullptr ? nullptr : factor + row);
  };
  std::int64_t row = 0;
  for (; row + 6 <= rows; row += 6) step.template operator()<6>(row);
  switch (rows - row) {
    case 5: return step.template operator()<5>(row);
    case 4: return step.template operator()<4>(row);
    case 3: return step.template operator()<3>(row);
    case 2: return step.template operator()<2>(row);
    case 1: return step.template operator()<1>(row);
    default: return;
  }
}

NETWRIGHT_INLINE void transpose_eight(Vec (&r)[8]) {
  const auto low = [](Vec a, Vec b) __attribute__((always_inline)) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13); };
  const auto high = [](Vec a, Vec b) __attribute__((always_inline)) { return __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15); };
  Vec t[8], u[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = low(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = high(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    u[4 * i] = __builtin_shufflevector(t[4 * i], t[4 * i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    u[4 * i + 1] = __builtin_shufflevector(t[4 * i], t[4 * i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    u[4 * i + 2] = __builtin_shufflevector(t[4 * i + 1], t[4 * i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    u[4 * i + 3] = __builtin_shufflevector(t[4 * i + 1], t[4 * i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[i] = __builtin_shufflevector(u[i], u[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    r[i + 4] = __builtin_shufflevector(u[i], u[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

// Eight keys, of which `count` exist, into lanes of a panel.
template <bool kHalf>
NETWRIGHT_INLINE void turn_eight(float* panel, const std::byte* keys, std::int64_t stride, std::int64_t count, std::int64_t d,
                                 std::int64_t left) {
  Vec row[8];
  if (count >= 8 && left >= 8) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) row[i] = load_either<kHalf>(keys + i * stride, d, 8);
  } else {
    for (int i = 0; i < 8; ++i) row[i] = i < count ? load_either<kHalf>(keys + i * stride, d, left) : Vec{};
  }
  transpose_eight(row);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    if (i < left) store(panel + (d + i) * 16, row[i]);
}

// Asks for `count` rows, at most eight. A head's rows lie too far apart for the processor to foresee them.
NETWRIGHT_INLINE void ask_for_eight(const std::byte* rows, std::int64_t stride, std::int64_t count, std::int64_t bytes) {
  for (std::int64_t i = 0; i < std::min<std::int64_t>(count, 8); ++i)
    for (std::int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(rows + i * stride + at);
}

// Keys [key, key + count) of a head as panels of sixteen: out[key / 16][d][key % 16]. The rest of a panel is zero.
// `ask(first)` is told of every eight keys: what is needed later can be on its way meanwhile.
template <bool kHalf, class Ask>
void turn_keys(float* out, const std::byte* keys, std::int64_t stride, std::int64_t count, std::int64_t width, Ask ask) {
  const std::int64_t padded = (count + 15) / 16 * 16;
  for (std::int64_t first = 0; first < padded; first += 8) {
    ask(first);
    for (std::int64_t d = 0; d < width; d += 8)
      turn_eight<kHalf>(out + first / 16 * 16 * width + first % 16, keys + first * stride, stride, count - first, d, width - d);
  }
}

// Values as rows of fp32, padded to `padded` with zeros.
template <bool kHalf>
void copy_values(float* out, const std::byte* values, std::int64_t stride, std::int64_t count, std::int64_t width, std::int64_t padded) {
  for (std::int64_t key = 0; key < count; ++key)
    for (std::int64_t e = 0; e < padded; e += 8)
      store(out + key * padded + e, e < width ? load_either<kHalf>(values + key * stride, e, width - e) : Vec{});
}

// Rows [first, first + count) of the (token, head of the group) list of one batch and group.
struct Tile {
  std::int64_t batch, group, first, count;
};

struct Scratch {
  float *query, *key, *value, *score, *sum, *largest, *total, *factor;

  Scratch(std::byte* workspace, const AttentionShape& shape) {
    auto* at = reinterpret_cast<float*>(workspace);
    const auto take = [&at](std::int64_t floats) { return std::exchange(at, at + (floats + 15) / 16 * 16); };
    query = take(kQueries * shape.d);
    key = take(kKeys * shape.d);
    value = take(kKeys * shape.e_padded);
    score = take(kQueries * kKeys);
    sum = take(kQueries * shape.e_padded);
    largest = take(kQueries);
    total = take(kQueries);
    factor = take(kQueries);
  }
};

void fill_queries(const AttentionShape& shape, const Tile& tile, const Scratch& scratch) {
  for (std::int64_t i = 0; i < tile.count; ++i) {
    const std::int64_t token = (tile.first + i) / shape.ratio, head = tile.group * shape.ratio + (tile.first + i) % shape.ratio;
    const float* from = reinterpret_cast<const float*>(shape.q + tile.batch * shape.q_stride[0] + token * shape.q_stride[1] +
                                                       head * shape.q_stride[2]);
    for (std::int64_t d = 0; d < shape.d; ++d) scratch.query[i * shape.d + d] = from[d] * shape.scale;
    scratch.largest[i] = -std::numeric_limits<float>::infinity();
    scratch.total[i] = 0.0f;
  }
}

// Softcap, mask and window of one row of scores [0, padded) for keys from `key`; what no query sees is -infinity.
void shape_scores(const AttentionShape& shape, const Tile& tile, std::int64_t row, std::int64_t key, std::int64_t count,
                  std::int64_t padded, float* score) {
  const std::int64_t token = (tile.first + row) / shape.ratio, head = tile.group * shape.ratio + (tile.first + row) % shape.ratio;
  if (shape.softcap > 0.0f)
    for (std::int64_t j = 0; j < padded; j += 8) store(score + j, tanh(load(score + j) / shape.softcap) * shape.softcap);
  if (shape.mask != nullptr) {
    const float* mask = reinterpret_cast<const float*>(shape.mask + tile.batch * shape.mask_stride[0] + head * shape.mask_stride[1] +
                                                       token * shape.mask_stride[2]) + key;
    for (std::int64_t j = 0; j < count; ++j) score[j] += mask[j];
  }
  const std::int64_t end = std::clamp<std::int64_t>(shape.key_end(token) - key, 0, count);
  const std::int64_t begin = std::clamp<std::int64_t>(shape.key_begin(token) - key, 0, end);
  std::fill(score, score + begin, -std::numeric_limits<float>::infinity());
  std::fill(score + end, score + padded, -std::numeric_limits<float>::infinity());
}

// Scores of one row become weights; the row's running maximum, total and rescaling factor follow.
void weigh(const Scratch& scratch, std::int64_t row, std::int64_t padded, float* score) {
  Vec top = load(score);
  for (std::int64_t j = 8; j < padded; j += 8) top = max(top, load(score + j));
  const float before = scratch.largest[row];
  float largest = before;
  for (int i = 0; i < kLanes; ++i) largest = top[i] > largest ? top[i] : largest;
  // A row that has seen no key yet: any finite reference gives weights of zero.
  const float reference = largest == -std::numeric_limits<float>::infinity() ? 0.0f : largest;
  Vec sum{};
  for (std::int64_t j = 0; j < padded; j += 8) {
    const Vec weight = exp_below_zero(load(score + j) - reference);
    store(score + j, weight);
    sum += weight;
  }
  const float factor = before == largest ? 1.0f : exp_below_zero(splat(before - reference))[0];
  scratch.factor[row] = factor;
  scratch.total[row] = scratch.total[row] * factor + sum_lanes(sum);
  scratch.largest[row] = largest;
}

template <bool kHalf>
void add_keys(const AttentionShape& shape, const Tile& tile, const Scratch& scratch, std::int64_t key, std::int64_t count, bool first) {
  const std::int64_t padded = (count + 15) / 16 * 16;
  const std::byte* keys = shape.k + tile.batch * shape.k_stride[0] + key * shape.k_stride[1] + tile.group * shape.k_stride[2];
  const std::byte* values = shape.v + tile.batch * shape.v_stride[0] + key * shape.v_stride[1] + tile.group * shape.v_stride[2];
  // The values of these keys, and the next keys.
  const auto ask = [&shape, keys, values, count, left = shape.s - key - kKeys](std::int64_t at) __attribute__((always_inline)) {
    constexpr std::int64_t kItem = kHalf ? 2 : 4;
    ask_for_eight(values + at * shape.v_stride[1], shape.v_stride[1], count - at, shape.e * kItem);
    ask_for_eight(keys + (kKeys + at) * shape.k_stride[1], shape.k_stride[1], left - at, shape.d * kItem);
  };
  turn_keys<kHalf>(scratch.key, keys, shape.k_stride[1], count, shape.d, ask);
  for (std::int64_t j = 0; j < padded; j += 16)
    multiply_rows<2>(tile.count, scratch.score + j, kKeys, scratch.query, shape.d, scratch.key + j * shape.d, 16, shape.d, nullptr);
  for (std::int64_t row = 0; row < tile.count; ++row) {
    shape_scores(shape, tile, row, key, count, padded, scratch.score + row * kKeys);
    weigh(scratch, row, padded, scratch.score + row * kKeys);
  }
  const float* value = reinterpret_cast<const float*>(values);
  std::int64_t stride = shape.v_stride[1] / 4;
  if (kHalf || shape.e != shape.e_padded) {
    copy_values<kHalf>(scratch.value, values, shape.v_stride[1], count, shape.e, shape.e_padded);
    value = scratch.value;
    stride = shape.e_padded;
  }
  for (std::int64_t e = 0; e < shape.e_padded; e += 16)
    multiply_rows<2>(tile.count, scratch.sum + e, shape.e_padded, scratch.score, kKeys, value + e, stride, count,
                     first ? nullptr : scratch.factor);
}

void put_rows(const AttentionShape& shape, const Tile& tile, const Scratch& scratch) {
  for (std::int64_t i = 0; i < tile.count; ++i) {
    const std::int64_t token = (tile.first + i) / shape.ratio, head = tile.group * shape.ratio + (tile.first + i) % shape.ratio;
    float* out = reinterpret_cast<float*>(shape.out + tile.batch * shape.out_stride[0] + token * shape.out_stride[1] +
                                          head * shape.out_stride[2]);
    // A query that sees no key gives zeros.
    const float inverse = scratch.total[i] > 0.0f ? 1.0f / scratch.total[i] : 0.0f;
    for (std::int64_t e = 0; e < shape.e; ++e) out[e] = scratch.total[i] != 0.0f ? scratch.sum[i * shape.e_padded + e] * inverse : 0.0f;
  }
}

template <bool kHalf>
void attend(const AttentionShape& shape, const Tile& tile, const Scratch& scratch) {
  fill_queries(shape, tile, scratch);
  const std::int64_t first_token = tile.first / shape.ratio, last_token = (tile.first + tile.count - 1) / shape.ratio;
  const std::int64_t begin = std::max<std::int64_t>(0, shape.key_begin(first_token)) / kKeys * kKeys;
  const std::int64_t end = std::min(shape.s, shape.key_end(last_token));
  for (std::int64_t key = begin; key < end; key += kKeys)
    add_keys<kHalf>(shape, tile, scratch, key, std::min(kKeys, end - key), key == begin);
  put_rows(shape, tile, scratch);
}

}  // namespace

void attention(const Call& call) {
  const AttentionShape shape(call);
  const Scratch scratch(call.workspace, shape);
  const std::int64_t list = shape.t * shape.ratio, tiles = (list + kQueries - 1) / kQueries;
  const auto [begin, end] = piece(call, shape.batch * shape.groups * tiles);
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const std::int64_t first = unit % tiles * kQueries;
    const Tile tile{unit / tiles / shape.groups, unit / tiles % shape.groups, first, std::min(kQueries, list - first)};
    if (shape.half) attend<true>(shape, tile, scratch);
    else attend<false>(shape, tile, scratch);
  }
}

}  // namespace netwright::NETWRIGHT_ISA
