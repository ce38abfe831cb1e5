// Exact attention, tiled, with the softmax kept running (Dao et al. 2022, arXiv:2205.14135; queries outermost as in Dao
// 2023, arXiv:2307.08691). A tile is some rows of one head group's (token, head) list: it stays in the second-level cache
// while keys and values pass, turned and laid out once a tile. Where a group has few rows (one token being generated), the
// tiles of many groups stay instead, so that the cache of keys is read in the order in which it lies.
#pragma once

#include <algorithm>
#include <utility>

#include "kernels/attention_softmax.hpp"
#include "kernels/quant_opcodes.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

// Rows [first, first + count) of the (token, head of the group) list of one batch and group; `held`: where they lie in scratch.
struct Tile {
  std::int64_t batch, group, first, count, held;
};

struct Scratch {
  float *query, *key, *value, *score, *sum;
  Statistics statistics;

  Scratch(std::byte* workspace, const AttentionShape& shape) {
    auto* at = reinterpret_cast<float*>(workspace);
    const auto take = [&at](std::int64_t floats) { return std::exchange(at, at + (floats + 15) / 16 * 16); };
    query = take(shape.held * shape.d);
    key = take(kKeys * shape.d);
    value = take(kKeys * shape.e_padded);
    score = take(kRows * kKeys);
    sum = take(shape.held * shape.e_padded);
    statistics = {take(shape.held), take(shape.held), take(shape.held)};
  }
};

struct Place {
  std::int64_t token, head;
};
NETWRIGHT_INLINE Place place(const AttentionShape& shape, const Tile& tile, std::int64_t row) {
  return {(tile.first + row) / shape.ratio, tile.group * shape.ratio + (tile.first + row) % shape.ratio};
}

// Scaled queries, a register tile after the other: [d][row of the tile].
void fill_queries(const AttentionShape& shape, const Tile& tile, const Scratch& scratch) {
  for (std::int64_t i = 0; i < tile.count; ++i) {
    const auto [token, head] = place(shape, tile, i);
    const float* from = reinterpret_cast<const float*>(shape.q + tile.batch * shape.q_stride[0] + token * shape.q_stride[1] +
                                                       head * shape.q_stride[2]);
    const std::int64_t block = i / kRegisterRows * kRegisterRows, rows = std::min(kRegisterRows, tile.count - block);
    float* to = scratch.query + (tile.held + block) * shape.d + i % kRegisterRows;
    for (std::int64_t d = 0; d < shape.d; ++d) to[d * rows] = from[d] * shape.scale;
    scratch.statistics.largest[tile.held + i] = kNothing;
    scratch.statistics.total[tile.held + i] = 0.0f;
  }
}

// Softcap, mask and window of one row of scores, columns [begin, end) of the block at `key`; what no query sees is -infinity.
void shape_scores(const AttentionShape& shape, const Tile& tile, std::int64_t row, std::int64_t key, std::int64_t begin,
                  std::int64_t end, float* score) {
  const auto [token, head] = place(shape, tile, row);
  if (shape.softcap > 0.0f)
    for (std::int64_t j = begin; j < end; j += 8) store(score + j, tanh(load(score + j) / shape.softcap) * shape.softcap);
  const std::int64_t exist = std::min(end, shape.s - key);
  if (shape.mask != nullptr) {
    const float* mask = reinterpret_cast<const float*>(shape.mask + tile.batch * shape.mask_stride[0] + head * shape.mask_stride[1] +
                                                       token * shape.mask_stride[2]) + key;
    for (std::int64_t j = begin; j < exist; ++j) score[j] += mask[j];
  }
  const std::int64_t last = std::clamp(shape.key_end(token) - key, begin, exist);
  const std::int64_t first = std::clamp(shape.key_begin(token) - key, begin, last);
  std::fill(score + begin, score + first, kNothing);
  std::fill(score + last, score + end, kNothing);
}

// A block of keys as the products read it: turned, in scratch, and values `stride` bytes apart.
struct Block {
  std::int64_t key, count;
  const std::byte* values;
  std::int64_t stride;
  bool laid;  // values as fp32 in the slot, else where and as they were
};

// Rows [first, first + rows) of a tile, at most kRows, against the keys of a block that any of them sees.
template <bool kHalfValues>
void add_rows(const AttentionShape& shape, const Tile& tile, const Scratch& scratch, const Block& block, std::int64_t first,
              std::int64_t rows) {
  const std::int64_t token = place(shape, tile, first).token, last_token = place(shape, tile, first + rows - 1).token;
  const std::int64_t seen_from = shape.key_begin(token), seen = std::min(shape.key_end(last_token) - block.key, block.count);
  const std::int64_t skipped = std::max<std::int64_t>(0, seen_from - block.key);
  if (seen <= skipped) return;
  const std::int64_t begin = skipped / 16 * 16, end = (seen + 15) / 16 * 16;
  by_register_tiles(rows, [&]<int kTile>(std::int64_t row) __attribute__((always_inline)) {
    const Left<1, kTile> query{scratch.query + (tile.held + first + row) * shape.d};
    multiply_columns<kTile, false>(scratch.score + row * kKeys, kKeys, query, reinterpret_cast<const std::byte*>(scratch.key), kKeys * 4,
                                   begin, end, shape.d, nullptr);
  });
  const bool whole = shape.key_end(token) - block.key >= end && shape.key_begin(last_token) <= block.key + begin && seen == end;
  if (!whole || shape.softcap > 0.0f || shape.mask != nullptr)
    for (std::int64_t row = 0; row < rows; ++row)
      shape_scores(shape, tile, first + row, block.key, begin, end, scratch.score + row * kKeys);
  const auto [largest, total, factor] = scratch.statistics;
  const std::int64_t at = tile.held + first;
  for (std::int64_t row = 0; row < rows; row += 8)
    weigh_eight(scratch.score + row * kKeys, std::min<std::int64_t>(8, rows - row), begin, end,
                {largest + at + row, total + at + row, factor + at + row});
  // The first block that these rows see: their sums hold nothing yet.
  const bool fresh = seen_from / kKeys * kKeys == block.key;
  by_register_tiles(rows, [&]<int kTile>(std::int64_t row) __attribute__((always_inline)) {
    const Left<kKeys, 1> weight{scratch.score + row * kKeys + skipped};
    multiply_columns<kTile, kHalfValues>(scratch.sum + (at + row) * shape.e_padded, shape.e_padded, weight,
                                         block.values + skipped * block.stride, block.stride, 0, shape.e_padded, seen - skipped,
                                         fresh ? nullptr : factor + at + row);
  });
}

// Keys [key, key + count) and their values, turned and laid out in scratch.
template <bool kHalf>
Block make_ready(const AttentionShape& shape, const Tile& tile, const Scratch& scratch, std::int64_t key, std::int64_t count) {
  const std::byte* keys = shape.k + tile.batch * shape.k_stride[0] + key * shape.k_stride[1] + tile.group * shape.k_stride[2];
  const std::byte* values = shape.v + tile.batch * shape.v_stride[0] + key * shape.v_stride[1] + tile.group * shape.v_stride[2];
  // The values of these keys, and the next keys.
  const auto ask = [&shape, keys, values, count, left = shape.s - key - kKeys](std::int64_t at) __attribute__((always_inline)) {
    constexpr std::int64_t kItem = kHalf ? 2 : 4;
    ask_for_eight(values + at * shape.v_stride[1], shape.v_stride[1], count - at, shape.e * kItem);
    ask_for_eight(keys + (kKeys + at) * shape.k_stride[1], shape.k_stride[1], left - at, shape.d * kItem);
  };
  turn_keys<kHalf>(scratch.key, keys, shape.k_stride[1], count, shape.d, ask);
  // Read once, values may stay as they lie; read again they would fight for the same lines of the first-level cache.
  if (tile.count <= kRegisterRows && shape.e == shape.e_padded) return {key, count, values, shape.v_stride[1], false};
  copy_values<kHalf>(scratch.value, values, shape.v_stride[1], count, shape.e, shape.e_padded);
  return {key, count, reinterpret_cast<const std::byte*>(scratch.value), shape.e_padded * 4, true};
}

void put_rows(const AttentionShape& shape, const Tile& tile, const Scratch& scratch) {
  for (std::int64_t i = 0; i < tile.count; ++i) {
    const auto [token, head] = place(shape, tile, i);
    float* out = reinterpret_cast<float*>(shape.out + tile.batch * shape.out_stride[0] + token * shape.out_stride[1] +
                                          head * shape.out_stride[2]);
    const float total = scratch.statistics.total[tile.held + i];
    const float* sum = scratch.sum + (tile.held + i) * shape.e_padded;
    // A query that sees no key gives zeros.
    if (total == 0.0f) {
      std::fill(out, out + shape.e, 0.0f);
      continue;
    }
    const float inverse = total > 0.0f ? 1.0f / total : 0.0f;
    std::int64_t e = 0;
    for (; e + 8 <= shape.e; e += 8) store(out + e, load(sum + e) * inverse);
    if (e < shape.e) store_part(out + e, load(sum + e) * inverse, static_cast<int>(shape.e - e));
  }
}

// Tiles of one batch against the keys that any of them sees, in blocks from multiples of kKeys.
template <bool kHalf>
void attend(const AttentionShape& shape, const Tile* tiles, std::int64_t num_tiles, const Scratch& scratch) {
  for (std::int64_t i = 0; i < num_tiles; ++i) fill_queries(shape, tiles[i], scratch);
  const std::int64_t first_token = tiles[0].first / shape.ratio, last_token = (tiles[0].first + tiles[0].count - 1) / shape.ratio;
  const std::int64_t end = std::min(shape.s, shape.key_end(last_token));
  for (std::int64_t key = shape.key_begin(first_token) / kKeys * kKeys; key < end; key += kKeys)
    for (std::int64_t i = 0; i < num_tiles; ++i) {
      const Tile& tile = tiles[i];
      const Block block = make_ready<kHalf>(shape, tile, scratch, key, std::min(kKeys, end - key));
      if (!block.laid)
        add_rows<kHalf>(shape, tile, scratch, block, 0, tile.count);
      else
        for (std::int64_t row = 0; row < tile.count; row += kRows)
          add_rows<false>(shape, tile, scratch, block, row, std::min(kRows, tile.count - row));
    }
  for (std::int64_t i = 0; i < num_tiles; ++i) put_rows(shape, tiles[i], scratch);
}

}  // namespace

void attention(const Call& call) {
  const AttentionShape shape(call);
  const Scratch scratch(call.workspace, shape);
  if (shape.rows == 0) return;
  const std::int64_t num_tiles = (shape.rows + shape.held - 1) / shape.held;
  // Tiles of nearly equal size, whole register tiles each.
  const std::int64_t size = (shape.rows + num_tiles - 1) / num_tiles, rows = (size + kRows - 1) / kRows * kRows;
  const auto [begin, end] = piece(call, shape.batch * shape.groups * num_tiles);
  Tile tiles[kRows];
  for (std::int64_t unit = begin; unit < end;) {
    std::int64_t count = 0, held = 0;
    const std::int64_t batch = unit / num_tiles / shape.groups;
    do {
      const std::int64_t first = unit % num_tiles * rows;
      tiles[count] = {batch, unit / num_tiles % shape.groups, first, std::min(rows, shape.rows - first), held};
      held += tiles[count].count, ++count, ++unit;
    } while (shape.rows <= kRegisterRows && count < kRows && unit < end && held + shape.rows <= shape.held &&
             unit / num_tiles / shape.groups == batch);
    if (shape.half) attend<true>(shape, tiles, count, scratch);
    else attend<false>(shape, tiles, count, scratch);
  }
}

}  // namespace netwright::NETWRIGHT_ISA
