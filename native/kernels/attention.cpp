#include "kernels/attention.hpp"

#include "kernels/quant_check.hpp"
#include "kernels/token_limits.hpp"

namespace netwright {

std::int64_t workspace::attention(const Call& call) {
  const AttentionShape shape(call);
  const std::int64_t floats = (shape.held + kKeys) * (shape.d + shape.e_padded) + kRows * kKeys + 3 * shape.held;
  return (floats + 8 * 16) * 4;
}

namespace check {
namespace {

const char* token_heads(const Operand& operand, Format format, std::int32_t rank) {
  NETWRIGHT_TRY(view(operand, format, rank));
  return contiguous(operand, rank - 1) ? nullptr : "the last dim is not contiguous";
}

// [B|1, H|1, T|1, S], or without leading dims.
const char* mask_of(const Operand& mask, const AttentionShape& shape) {
  NETWRIGHT_TRY(view(mask, Format::fp32, -1));
  NETWRIGHT_REFUSE_IF(mask.rank < 1 || mask.rank > 4, "the mask has the wrong rank");
  const std::int64_t full[4] = {shape.batch, shape.heads, shape.t, shape.s};
  for (int axis = 0; axis < mask.rank; ++axis) {
    const std::int64_t size = mask.shape[axis], expected = full[4 - mask.rank + axis];
    NETWRIGHT_REFUSE_IF(size != expected && (size != 1 || axis == mask.rank - 1), "the mask does not broadcast to [B, H, T, S]");
  }
  return contiguous(mask, mask.rank - 1) ? nullptr : "the last dim is not contiguous";
}

}  // namespace

const char* attention(const Call& call) {
  NETWRIGHT_TRY(counts(call, 4, 5, 4));
  const std::int32_t rank = call.operand[1].rank;
  NETWRIGHT_REFUSE_IF(rank != 3 && rank != 4, "an operand has the wrong rank");
  const Format cache = call.operand[2].format;
  NETWRIGHT_REFUSE_IF(cache != Format::fp32 && cache != Format::fp16, "keys and values are not fp32 or fp16");
  NETWRIGHT_TRY(token_heads(call.operand[0], Format::fp32, rank));
  NETWRIGHT_TRY(token_heads(call.operand[1], Format::fp32, rank));
  NETWRIGHT_TRY(token_heads(call.operand[2], cache, rank));
  NETWRIGHT_TRY(token_heads(call.operand[3], cache, rank));
  const Operand *out = &call.operand[0], *q = &call.operand[1], *k = &call.operand[2], *v = &call.operand[3];
  const int skip = rank - 3;
  for (int axis = 0; axis < skip; ++axis)
    NETWRIGHT_REFUSE_IF(out->shape[axis] != q->shape[axis] || k->shape[axis] != q->shape[axis] || v->shape[axis] != q->shape[axis],
                        "batches do not agree");
  const AttentionShape shape(call);
  NETWRIGHT_REFUSE_IF(out->shape[skip] != shape.t || out->shape[skip + 1] != shape.heads || out->shape[skip + 2] != shape.e,
                      "the shape of out does not agree");
  NETWRIGHT_REFUSE_IF(v->shape[skip] != shape.s || v->shape[skip + 1] != shape.groups || k->shape[skip + 2] != shape.d,
                      "the shapes of q, k and v do not agree");
  NETWRIGHT_REFUSE_IF(shape.groups < 1 || shape.heads % shape.groups, "heads are no multiple of the groups");
  NETWRIGHT_REFUSE_IF(shape.d < 1 || shape.d > kMaxHead || shape.e < 1 || shape.e > kMaxHead, "a head is empty or too wide");
  NETWRIGHT_REFUSE_IF(shape.causal && shape.s < shape.t, "a causal query has no key of its own");
  NETWRIGHT_REFUSE_IF(shape.window < 0 || shape.window > kMaxCount, "the window is out of range");
  NETWRIGHT_REFUSE_IF(!(call.real(3) >= 0.0) || !(call.real(0) == call.real(0)), "scale or softcap is not a number in range");
  for (int i = 1; i < 4; ++i) NETWRIGHT_REFUSE_IF(overlap(*out, call.operand[i]), "out overlaps what is read");
  if (!present(call, 4)) return nullptr;
  NETWRIGHT_REFUSE_IF(overlap(*out, call.operand[4]), "out overlaps what is read");
  return mask_of(call.operand[4], shape);
}

}  // namespace check
}  // namespace netwright
