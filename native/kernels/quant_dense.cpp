#include "kernels/quant_dense.hpp"

#include "kernels/quant_check.hpp"

namespace netwright::check {

const char* matmul_dense(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 5, 3));
  const Operand &out = call.operand[0], &x = call.operand[1], &weight = call.operand[2];
  NETWRIGHT_TRY(matrix(out));
  NETWRIGHT_TRY(matrix(x));
  NETWRIGHT_REFUSE_IF(weight.format != Format::fp32 && weight.format != Format::fp16 && weight.format != Format::bf16,
                      "the weight is not fp32, fp16 or bf16");
  NETWRIGHT_TRY(view(weight, weight.format, 2));
  NETWRIGHT_REFUSE_IF(!contiguous(weight, 1), "the last dim is not contiguous");
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
