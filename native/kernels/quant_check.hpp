// What the checks of opcodes 1-9 are made of, beside those of the float kernels.
#pragma once

#include "kernels/float_check.hpp"
#include "kernels/quant_blocks.hpp"

namespace netwright::check {

// Rows of whole blocks (weights) or of int8 activations: rank 2, innermost stride 0, the row stride at least a row.
inline const char* block_rows(const Operand& operand, std::int64_t alignment) {
  if (!operand.data) return "a required operand is absent";
  if (operand.rank != 2) return "an operand has the wrong rank";
  if (operand.shape[0] < 0 || operand.shape[0] > kMaxCount || operand.shape[1] < 0 || operand.shape[1] > kMaxCount)
    return "an extent is out of range";
  const std::int64_t bytes = row_bytes(operand.format, operand.shape[1]);
  if (bytes < 0) return "a row is no whole number of blocks";
  if (operand.stride[1] != 0) return "the innermost stride of a block format is 0";
  if (operand.shape[0] > 1 && (operand.stride[0] < bytes || operand.stride[0] > kMaxSpan / operand.shape[0]))
    return "a row stride is out of range";
  if (operand.stride[0] % alignment || reinterpret_cast<std::uintptr_t>(operand.data) % alignment)
    return "rows are not aligned";
  return nullptr;
}

inline const char* activation_rows(const Operand& operand) {
  if (!is_activation(operand.format)) return "an operand is not act8x32 or act8x256";
  return block_rows(operand, 4);
}

// fp32 [rows, columns] with neighbouring columns.
inline const char* matrix(const Operand& operand) {
  if (const char* error = view(operand, Format::fp32, 2)) return error;
  return contiguous(operand, 1) ? nullptr : "the last dim is not contiguous";
}

inline const char* matrix_of(const Operand& operand, std::int64_t rows, std::int64_t columns) {
  if (const char* error = matrix(operand)) return error;
  return operand.shape[0] == rows && operand.shape[1] == columns ? nullptr : "shapes do not agree";
}

// fp32 or int8 activations [rows, columns]: what the fused forms write.
inline const char* activation_or_matrix(const Operand& operand, std::int64_t rows, std::int64_t columns) {
  if (const char* error = is_activation(operand.format) ? activation_rows(operand) : matrix(operand)) return error;
  return operand.shape[0] == rows && operand.shape[1] == columns ? nullptr : "shapes do not agree";
}

inline bool same_start(const Operand& a, const Operand& b) { return a.data == b.data && a.stride[0] == b.stride[0]; }

// Whether the byte ranges from first to last element meet.
inline bool overlap(const Operand& a, const Operand& b) {
  if (!a.data || !b.data) return false;
  const std::int64_t a_bytes = extent_bytes(a), b_bytes = extent_bytes(b);
  return a.data < b.data + b_bytes && b.data < a.data + a_bytes;
}

// What out [T, N] = f(x [T, K] weight [N, K]^T + bias? + residual?) asks of its operands beside their formats.
inline const char* weight_product(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1], &weight = call.operand[2];
  NETWRIGHT_REFUSE_IF(x.shape[1] != weight.shape[1], "inputs of x and weight do not agree");
  NETWRIGHT_REFUSE_IF(out.shape[0] != x.shape[0] || out.shape[1] != weight.shape[0], "the shape of out does not agree");
  NETWRIGHT_TRY(optional_vector(call, 3, out.shape[1]));
  NETWRIGHT_REFUSE_IF(overlap(out, x) || overlap(out, weight), "out overlaps what is read");
  if (present(call, 4)) {
    const Operand& residual = call.operand[4];
    NETWRIGHT_TRY(matrix_of(residual, out.shape[0], out.shape[1]));
    NETWRIGHT_REFUSE_IF(overlap(out, residual) && !same_start(out, residual), "out and residual overlap, but are not one");
  }
  return fused_function(call, 0);
}

}  // namespace netwright::check
