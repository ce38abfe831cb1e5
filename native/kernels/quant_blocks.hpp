// Bytes and elements of one block of every Format, and how far an operand reaches.
#pragma once

#include <cstdint>

#include "kernels/activation.hpp"
#include "vm/opcode.hpp"

namespace netwright {

struct BlockShape {
  std::int32_t elements, bytes;
};

// {0, 0} for a code that is no format, and for act8 rows, whose length is not a sum of blocks.
constexpr BlockShape block_shape(Format format) {
  switch (format) {
    case Format::fp32: case Format::int32: return {1, 4};
    case Format::fp16: case Format::bf16: case Format::int16: return {1, 2};
    case Format::fp64: case Format::int64: return {1, 8};
    case Format::int8: case Format::uint8: case Format::boolean: case Format::bytes: return {1, 1};
    case Format::q4_0: return {32, 18};
    case Format::q4_1: return {32, 20};
    case Format::q5_0: return {32, 22};
    case Format::q5_1: return {32, 24};
    case Format::q8_0: return {32, 34};
    case Format::q2_k: return {256, 84};
    case Format::q3_k: return {256, 110};
    case Format::q4_k: return {256, 144};
    case Format::q5_k: return {256, 176};
    case Format::q6_k: return {256, 210};
    case Format::tq1_0: return {256, 54};
    case Format::tq2_0: return {256, 66};
    default: return {0, 0};
  }
}

constexpr bool is_activation(Format format) {
  return format == Format::act8x32 || format == Format::act8x256;
}
// Formats whose rows are whole blocks read with an innermost stride of 0.
constexpr bool is_block(Format format) { return block_shape(format).elements > 1; }

// Bytes of a row of `k` elements; -1 when it is no whole number of blocks or the format is unknown.
constexpr std::int64_t row_bytes(Format format, std::int64_t k) {
  if (is_activation(format)) return activation_row_bytes(format, k);
  const BlockShape block = block_shape(format);
  if (block.elements == 0 || k % block.elements != 0) return -1;
  return k / block.elements * block.bytes;
}

// Bytes from `data` to the end of the last element; -1 for a malformed operand, 0 for an empty one.
// Strides must not be negative: an operand starts at its lowest address.
constexpr std::int64_t extent_bytes(const Operand& operand) {
  if (operand.rank < 0 || operand.rank > kMaxRank) return -1;
  const bool rows = is_block(operand.format) || is_activation(operand.format);
  if (rows && operand.rank == 0) return -1;
  const int last = operand.rank - 1;
  std::int64_t total = rows ? row_bytes(operand.format, operand.shape[last]) : block_shape(operand.format).bytes;
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
