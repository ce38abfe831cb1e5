#include "kernels/float_gemm.hpp"

#include "kernels/float_check.hpp"

namespace netwright {

const char* check::gemm_packed(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 5, 5));
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_TRY(view(out, Format::fp32, 2));
  NETWRIGHT_TRY(view(x, Format::fp32, 2));
  const std::int64_t inputs = call.parameter[0], outputs = call.parameter[1];
  NETWRIGHT_REFUSE_IF(!in_range(call, 0, 2, 1, std::int64_t{1} << 24), "K or N is out of range");
  NETWRIGHT_REFUSE_IF(x.shape[0] != out.shape[0] || x.shape[1] != inputs || out.shape[1] != outputs, "shapes do not agree with K and N");
  NETWRIGHT_REFUSE_IF(!contiguous(out, 1) || !contiguous(x, 1), "rows are not contiguous");
  NETWRIGHT_TRY(packed_weight(call.operand[2], packed_floats(outputs, inputs, 1, 1) * 4));
  NETWRIGHT_TRY(optional_vector(call, 3, outputs));
  if (present(call, 4)) {
    NETWRIGHT_TRY(view(call.operand[4], Format::fp32, 2));
    NETWRIGHT_REFUSE_IF(!same_shape(call.operand[4], out) || !contiguous(call.operand[4], 1), "the residual does not match out");
  }
  return fused_function(call, 2);
}

std::int64_t workspace::gemm_packed(const Call& call) {
  return GemmBlocks::of(call.operand[0].shape[0], call.parameter[0]).workspace_bytes();
}

}  // namespace netwright
