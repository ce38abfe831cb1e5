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
  return weight_product(call);
}

}  // namespace netwright::check
