#include "kernels/float_depthwise.hpp"

namespace netwright {

const char* check::conv_depthwise(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 5, 11));
  NETWRIGHT_TRY(convolution_operands(call));
  NETWRIGHT_TRY(window(call, 0));
  const Operand &out = call.operand[0], &x = call.operand[1], &weight = call.operand[2];
  NETWRIGHT_REFUSE_IF(out.shape[1] != x.shape[1], "channels differ");
  NETWRIGHT_TRY(view(weight, Format::fp32, 2));
  NETWRIGHT_REFUSE_IF(weight.shape[0] != Window::of(call, 0).taps() || weight.shape[1] != x.shape[1], "the weight is not [taps, channels]");
  NETWRIGHT_REFUSE_IF(!contiguous(weight, 1) || (weight.shape[0] > 1 && weight.stride[0] != 4 * weight.shape[1]), "the weight is not contiguous");
  return fused_function(call, 8);
}

std::int64_t workspace::conv_depthwise(const Call& call) {
  return depthwise_workspace_bytes(call.operand[1].shape[1], Window::of(call, 0));
}

}  // namespace netwright
