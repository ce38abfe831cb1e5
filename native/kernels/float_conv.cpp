#include "kernels/float_conv.hpp"

#include "kernels/float_check.hpp"

namespace netwright {
namespace {

const char* check_convolution(const Call& call, bool transpose) {
  NETWRIGHT_TRY(check::counts(call, 3, 5, 12));
  NETWRIGHT_TRY(check::convolution_operands(call));
  NETWRIGHT_TRY(check::window(call, 0));
  const std::int64_t channels = call.operand[1].shape[1], outputs = call.operand[0].shape[1], groups = call.parameter[8];
  NETWRIGHT_REFUSE_IF(groups < 1 || channels % groups || outputs % groups, "groups do not divide the channels");
  const Window window = Window::of(call, 0);
  NETWRIGHT_REFUSE_IF(channels / groups * window.taps() > check::kMaxCount / (outputs + 8 * groups), "the weight is too large");
  const bool spreads = transpose && transpose_shape(call).spreads();
  const std::int64_t floats = spreads ? packed_floats(outputs * window.taps(), channels, 1, 1)
                                      : packed_floats(outputs / groups, channels / groups, window.taps(), groups);
  NETWRIGHT_TRY(check::packed_weight(call.operand[2], 4 * floats));
  return check::fused_function(call, 9);
}

std::int64_t convolution_workspace(const Call& call, bool transpose) {
  const Window window = Window::of(call, 0);
  return ConvBlocks::of(call, window, call.parameter[8], transpose).workspace_bytes(call.operand[1].shape[1], window.taps());
}

}  // namespace

const char* check::conv_packed(const Call& call) { return check_convolution(call, false); }
const char* check::conv_transpose(const Call& call) { return check_convolution(call, true); }
std::int64_t workspace::conv_packed(const Call& call) { return convolution_workspace(call, false); }
std::int64_t workspace::conv_transpose(const Call& call) {
  return transpose_shape(call).spreads() ? transpose_spread(call) : convolution_workspace(call, true);
}

}  // namespace netwright
