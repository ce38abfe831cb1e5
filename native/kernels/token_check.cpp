// The checks of the opcodes that work row by row.
#include "kernels/quant_check.hpp"
#include "kernels/quant_opcodes.hpp"
#include "kernels/token_limits.hpp"

namespace netwright::check {

const char* quantize_rows(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 0));
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_REFUSE_IF(!is_activation_row(out.format), "out is not act8x32, act8x256 or lut4x256");
  NETWRIGHT_TRY(out.format == Format::lut4x256 && x.format == Format::act8x256 ? activation_rows(x) : matrix(x));
  NETWRIGHT_REFUSE_IF(overlap(out, x), "out overlaps what is read");
  NETWRIGHT_TRY(block_rows(out, 4));
  return out.shape[0] == x.shape[0] && out.shape[1] == x.shape[1] ? nullptr : "shapes do not agree";
}

const char* rms_norm(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 3, 1));
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_TRY(matrix(x));
  NETWRIGHT_TRY(activation_or_matrix(out, x.shape[0], x.shape[1]));
  NETWRIGHT_REFUSE_IF(!present(call, 2), "a required operand is absent");
  NETWRIGHT_REFUSE_IF(overlap(out, x) && !(out.format == Format::fp32 && same_start(out, x)), "out and x overlap, but are not one");
  NETWRIGHT_REFUSE_IF(overlap(out, call.operand[2]), "out overlaps what is read");
  NETWRIGHT_REFUSE_IF(!(call.real(0) >= 0.0), "epsilon is not a number from 0 up");
  return optional_vector(call, 2, x.shape[1]);
}

const char* glu(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 3, 3));
  const Operand &out = call.operand[0], &gate = call.operand[1], &up = call.operand[2];
  NETWRIGHT_TRY(matrix(gate));
  NETWRIGHT_TRY(matrix_of(up, gate.shape[0], gate.shape[1]));
  NETWRIGHT_TRY(activation_or_matrix(out, gate.shape[0], gate.shape[1]));
  for (const Operand* other : {&gate, &up})
    NETWRIGHT_REFUSE_IF(overlap(out, *other) && !(out.format == Format::fp32 && same_start(out, *other)),
                        "out and an input overlap, but are not one");
  return fused_function(call, 0);
}

const char* gather_rows(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 3, 1));
  const Operand &out = call.operand[0], &table = call.operand[1], &ids = call.operand[2];
  NETWRIGHT_TRY(matrix(out));
  if (is_block(table.format)) {
    NETWRIGHT_TRY(block_rows(table, 1));
  } else {
    NETWRIGHT_REFUSE_IF(table.format != Format::fp32 && table.format != Format::fp16 && table.format != Format::bf16,
                        "the table is not in a weight format");
    NETWRIGHT_TRY(view(table, table.format, 2));
    NETWRIGHT_REFUSE_IF(!contiguous(table, 1), "the last dim is not contiguous");
  }
  NETWRIGHT_REFUSE_IF(ids.format != Format::int32 && ids.format != Format::int64, "ids are not int32 or int64");
  NETWRIGHT_TRY(view(ids, ids.format, 1));
  NETWRIGHT_REFUSE_IF(out.shape[0] != ids.shape[0] || out.shape[1] != table.shape[1], "shapes do not agree");
  NETWRIGHT_REFUSE_IF(table.shape[0] < 1, "the table is empty");
  NETWRIGHT_REFUSE_IF(overlap(out, table) || overlap(out, ids), "out overlaps what is read");
  return nullptr;
}

// [tokens, heads, head] with neighbouring elements of a head.
static const char* heads(const Operand& operand, Format format) {
  NETWRIGHT_TRY(view(operand, format, 3));
  return contiguous(operand, 2) ? nullptr : "the last dim is not contiguous";
}

const char* rope(const Call& call) {
  NETWRIGHT_TRY(counts(call, 1, 2, 4));
  const Operand& x = call.operand[0];
  NETWRIGHT_TRY(heads(x, Format::fp32));
  const double base = call.real(0);
  const std::int64_t rotary = call.parameter[1], start = call.parameter[2];
  NETWRIGHT_REFUSE_IF(!(base >= 1.0 && base < 1e30), "base is not a number from 1 to 1e30");
  NETWRIGHT_REFUSE_IF(rotary < 2 || rotary % 2 || rotary > x.shape[2] || rotary > kMaxRotary, "rotary is odd or out of range");
  NETWRIGHT_REFUSE_IF(start < 0 || start > kMaxPosition || x.shape[0] > kMaxPosition, "a position is out of range");
  return optional_vector(call, 1, rotary / 2);
}

const char* cache_append(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 1));
  const Operand &cache = call.operand[0], &x = call.operand[1];
  NETWRIGHT_REFUSE_IF(cache.format != Format::fp32 && cache.format != Format::fp16, "the cache is not fp32 or fp16");
  NETWRIGHT_TRY(heads(cache, cache.format));
  NETWRIGHT_TRY(heads(x, Format::fp32));
  NETWRIGHT_REFUSE_IF(cache.shape[1] != x.shape[1] || cache.shape[2] != x.shape[2], "shapes do not agree");
  const std::int64_t start = call.parameter[0];
  NETWRIGHT_REFUSE_IF(start < 0 || start > cache.shape[0] - x.shape[0], "rows reach outside the cache");
  NETWRIGHT_REFUSE_IF(overlap(cache, x), "the cache overlaps what is read");
  return nullptr;
}

}  // namespace netwright::check
