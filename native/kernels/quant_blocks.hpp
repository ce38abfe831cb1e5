// Rows of blocks: their bytes, and how far an operand reaches.
#pragma once

#include <cstdint>

#include "kernels/activation.hpp"
#include "vm/format.hpp"
#include "vm/opcode.hpp"

namespace netwright {

constexpr bool is_activation(Format format) {
  return format == Format::act8x32 || format == Format::act8x256;
}
// Activations of which a row lies in one piece, whatever is in it.
constexpr bool is_activation_row(Format format) { return is_activation(format) || format == Format::lut4x256; }
// Formats whose rows are whole blocks read with an innermost stride of 0.
constexpr bool is_block(Format format) { return !is_activation_row(format) && block_size(format).elements > 1; }

// Bytes of a row of `k` elements; -1 when it is no whole number of blocks or the format is unknown.
constexpr std::int64_t row_bytes(Format format, std::int64_t k) {
  if (is_activation_row(format)) return activation_row_bytes(format, k);
  const BlockSize block = block_size(format);
  if (block.elements == 0 || k % block.elements != 0) return -1;
  return k / block.elements * block.bytes;
}

// Bytes from `data` to the end of the last element; -1 for a malformed operand, 0 for an empty one.
// Strides must not be negative: an operand starts at its lowest address.
constexpr std::int64_t extent_bytes(const Operand& operand) {
  if (operand.rank < 0 || operand.rank > kMaxRank) return -1;
  const bool rows = is_block(operand.format) || is_activation_row(operand.format);
  if (rows && operand.rank == 0) return -1;
  const int last = operand.rank - 1;
  std::int64_t total = rows ? row_bytes(operand.format, operand.shape[last]) : block_size(operand.format).bytes;
  if (total <= 0 && !(rows && operand.shape[last] == 0)) return -1;
  bool empty = false;
  for (int axis = 0; axis < operand.rank; ++axis) {
    const std::int64_t size = operand.shape[axis];
    if (size < 0 || operand.stride[axis] < 0) return -1;
    empty = empty || size == 0;
    if (size == 0 || (rows && axis == last)) continue;
    std::int64_t step = 0;
    if (__builtin_mul_overflow(size - 1, operand.stride[axis], &step)) return -1;
    if (__builtin_add_overflow(total, step, &total)) return -1;
  }
  return empty ? 0 : total;
}

}  // namespace netwright
