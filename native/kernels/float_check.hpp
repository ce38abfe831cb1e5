// What the checks of the float kernels are made of. Each returns nullptr or what is wrong.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "kernels/float_function.hpp"
#include "vm/opcode.hpp"

namespace netwright::check {

// Large enough for any tensor, small enough that products of two sizes cannot overflow.
inline constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;
inline constexpr std::int64_t kMaxSpan = std::int64_t{1} << 50;

inline std::int64_t element_bytes(Format format) {
  switch (format) {
    case Format::fp32: case Format::int32: return 4;
    case Format::fp64: case Format::int64: return 8;
    case Format::fp16: case Format::bf16: case Format::int16: case Format::uint16: return 2;
    case Format::int8: case Format::uint8: case Format::boolean: return 1;
    default: return 0;
  }
}

inline bool present(const Call& call, int index) { return index < call.num_operands && call.operand[index].data; }

// Rank, extents and strides are sane, and every element is aligned, so kernels may index without looking again.
inline const char* view(const Operand& operand, Format format, std::int32_t rank) {
  const std::int64_t bytes = element_bytes(format);
  if (!operand.data) return "a required operand is absent";
  if (operand.format != format) return "an operand has the wrong format";
  if (rank >= 0 ? operand.rank != rank : (operand.rank < 0 || operand.rank > kMaxRank)) return "an operand has the wrong rank";
  if (bytes == 0 || reinterpret_cast<std::uintptr_t>(operand.data) % bytes) return "an operand is not aligned to its element";
  std::int64_t count = 1;
  for (int d = 0; d < operand.rank; ++d) {
    if (operand.shape[d] < 0 || operand.shape[d] > kMaxCount) return "an extent is out of range";
    if (operand.shape[d] && count > kMaxCount / operand.shape[d]) return "an operand has too many elements";
    count *= operand.shape[d];
    if (operand.stride[d] % bytes) return "a stride is not a multiple of the element";
    if (operand.shape[d] > 1 && std::abs(operand.stride[d]) > kMaxSpan / operand.shape[d]) return "a stride is out of range";
  }
  return nullptr;
}

inline const char* counts(const Call& call, int least_operands, int most_operands, int parameters) {
  if (call.num_operands < least_operands || call.num_operands > most_operands) return "wrong number of operands";
  if (call.num_parameters != parameters) return "wrong number of parameters";
  if (call.parts < 1 || call.part < 0 || call.part >= call.parts) return "part is not in [0, parts)";
  return nullptr;
}

inline bool same_shape(const Operand& a, const Operand& b) {
  if (a.rank != b.rank) return false;
  for (int d = 0; d < a.rank; ++d)
    if (a.shape[d] != b.shape[d]) return false;
  return true;
}

// Elements along `dim` lie next to each other (an extent of 1, or an empty operand, has no say).
inline bool contiguous(const Operand& operand, int dim) {
  for (int d = 0; d < operand.rank; ++d)
    if (operand.shape[d] == 0) return true;
  return operand.shape[dim] <= 1 || operand.stride[dim] == element_bytes(operand.format);
}

inline const char* optional_vector(const Call& call, int index, std::int64_t length) {
  if (!present(call, index)) return nullptr;
  const Operand& operand = call.operand[index];
  if (const char* error = view(operand, Format::fp32, 1)) return error;
  return operand.shape[0] == length && contiguous(operand, 0) ? nullptr : "a vector has the wrong length or stride";
}

inline const char* fused_function(const Call& call, int first) {
  const std::int64_t code = call.parameter[first];
  if (code < 0 || code >= kNumFunctions) return "unknown function code";
  if (code == int(Function::logical_not) || code == int(Function::isnan)) return "the function has no float result";
  return nullptr;
}

inline bool in_range(const Call& call, int first, int count, std::int64_t low, std::int64_t high) {
  for (int i = first; i < first + count; ++i)
    if (call.parameter[i] < low || call.parameter[i] > high) return false;
  return true;
}

inline const char* packed_weight(const Operand& operand, std::int64_t bytes) {
  if (!operand.data || operand.format != Format::bytes || operand.rank != 1) return "the weight is not packed bytes";
  if (operand.shape[0] < bytes) return "the packed weight is too short";
  return reinterpret_cast<std::uintptr_t>(operand.data) % 4 ? "the packed weight is not aligned" : nullptr;
}

}  // namespace netwright::check

// Returns the first complaint.
#define NETWRIGHT_TRY(check_expression) \
  if (const char* complaint = (check_expression)) return complaint
#define NETWRIGHT_REFUSE_IF(condition, complaint) \
  if (condition) return complaint
