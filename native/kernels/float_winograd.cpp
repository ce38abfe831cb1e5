#include "kernels/float_winograd.hpp"

#include "kernels/float_check.hpp"

namespace netwright {

const char* check::conv_winograd(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 5, 6));
  NETWRIGHT_TRY(convolution_operands(call));
  const std::int64_t m = call.parameter[0], channels = call.operand[1].shape[1], outputs = call.operand[0].shape[1];
  NETWRIGHT_REFUSE_IF(m != 2 && m != 4, "a tile has 2 or 4 outputs a side");
  NETWRIGHT_REFUSE_IF(!in_range(call, 1, 2, 0, std::int64_t{1} << 20), "a pad is out of range");
  NETWRIGHT_REFUSE_IF(channels > 65536, "an image has too many channels");
  const std::int64_t positions = WinogradShape::of(call).positions();
  NETWRIGHT_REFUSE_IF(channels * positions > kMaxCount / (outputs + 8), "the weight is too large");
  NETWRIGHT_TRY(packed_weight(call.operand[2], 4 * packed_floats(outputs, channels, positions, 1)));
  return fused_function(call, 3);
}

std::int64_t workspace::conv_winograd(const Call& call) {
  const WinogradShape shape = WinogradShape::of(call);
  const std::int64_t channels = call.operand[1].shape[1];
  return WinogradBlocks::of(shape, channels).workspace_bytes(shape, channels);
}

}  // namespace netwright
