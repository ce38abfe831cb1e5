// The operands of attention made plain, with a batch dim whether they have one or not.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "vm/opcode.hpp"

namespace netwright {

// Weights are summed and rescaled in blocks of so many keys, whatever the tile: a row's bits hang on nothing else.
inline constexpr std::int64_t kKeys = 64;
inline constexpr std::int64_t kRegisterRows = 6;  // of the register tile
inline constexpr std::int64_t kRows = 24;         // whose scores are held at a time: four register tiles
inline constexpr std::int64_t kTileBytes = 384 << 10;  // of queries and sums of a tile, for a second-level cache of 512 KiB

struct AttentionShape {
  std::byte *out, *q, *k, *v, *mask;
  std::int64_t batch, t, s, heads, groups, ratio, d, e, e_padded;
  std::int64_t rows;  // of the (token, head of the group) list of one group
  std::int64_t held;  // rows that a thread works on at a time, at most
  std::int64_t out_stride[3], q_stride[3], k_stride[3], v_stride[3], mask_stride[3];  // batch, token, head; mask: batch, head, token
  float scale, softcap;
  bool causal, half;
  std::int64_t window;

  explicit AttentionShape(const Call& call) {
    const Operand& query = call.operand[1];
    const int skip = query.rank - 3;
    batch = skip ? query.shape[0] : 1;
    t = query.shape[skip];
    heads = query.shape[skip + 1];
    d = query.shape[skip + 2];
    s = call.operand[2].shape[skip];
    groups = call.operand[2].shape[skip + 1];
    ratio = groups > 0 ? heads / groups : 0;
    e = call.operand[3].shape[skip + 2];
    e_padded = (e + 15) / 16 * 16;
    out = take(call.operand[0], skip, out_stride);
    q = take(query, skip, q_stride);
    k = take(call.operand[2], skip, k_stride);
    v = take(call.operand[3], skip, v_stride);
    mask = nullptr;
    if (call.num_operands > 4 && call.operand[4].data != nullptr) {
      const Operand& added = call.operand[4];
      mask = added.data;
      for (int axis = 0; axis < 3; ++axis)
        mask_stride[axis] = stride_of(added, axis - (4 - added.rank));
    }
    scale = static_cast<float>(call.real(0));
    causal = call.parameter[1] != 0;
    window = call.parameter[2];
    softcap = static_cast<float>(call.real(3));
    half = call.operand[2].format == Format::fp16;
    rows = t * ratio;
    const std::int64_t room = kTileBytes / 4 / (d + e_padded) / kRows * kRows;
    // Never fewer than where there are more tokens: a program's workspace is sized at its bounds.
    held = std::min(std::max(room, kRows), (rows * groups + kRows - 1) / kRows * kRows);
  }

  // Keys [key_begin, key_end) are the ones a token may see.
  std::int64_t key_end(std::int64_t token) const { return causal ? token + s - t + 1 : s; }
  std::int64_t key_begin(std::int64_t token) const {
    return window > 0 ? std::max<std::int64_t>(0, token + s - t - window + 1) : 0;
  }

 private:
  static std::int64_t stride_of(const Operand& operand, int axis) {
    return axis < 0 || operand.shape[axis] == 1 ? 0 : operand.stride[axis];
  }
  static std::byte* take(const Operand& operand, int skip, std::int64_t (&stride)[3]) {
    stride[0] = skip ? operand.stride[0] : 0;
    stride[1] = operand.stride[skip];
    stride[2] = operand.stride[skip + 1];
    return operand.data;
  }
};

}  // namespace netwright
