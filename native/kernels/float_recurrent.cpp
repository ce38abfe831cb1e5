#include "kernels/float_recurrent.hpp"

#include "kernels/float_check.hpp"

namespace netwright {
namespace {

const char* matrix(const Call& call, int index, std::int64_t rows, std::int64_t columns) {
  const Operand& operand = call.operand[index];
  NETWRIGHT_TRY(check::view(operand, Format::fp32, 2));
  NETWRIGHT_REFUSE_IF(operand.shape[0] != rows || operand.shape[1] != columns, "a state or weight has the wrong shape");
  return check::contiguous(operand, 1) ? nullptr : "a state or weight has rows that are not contiguous";
}

// y?, `states` states; x, w, r, bias?, `states` initial states?
const char* recurrent(const Call& call, int states, std::int64_t gates) {
  const int x_index = 1 + states, bias_index = x_index + 3;
  NETWRIGHT_TRY(check::counts(call, bias_index, bias_index + 1 + states, states == 2 ? 1 : 2));
  NETWRIGHT_REFUSE_IF(!check::in_range(call, 0, call.num_parameters, 0, 1), "a flag is not 0 or 1");
  const Operand &y = call.operand[0], &x = call.operand[x_index], &r = call.operand[x_index + 2];
  NETWRIGHT_TRY(check::view(x, Format::fp32, 3));
  NETWRIGHT_TRY(check::view(r, Format::fp32, 2));
  const std::int64_t hidden = r.shape[1], batch = x.shape[1];
  NETWRIGHT_REFUSE_IF(hidden < 1 || hidden > (1 << 20) || x.shape[2] < 1, "the layer has no units or no inputs, or too many units");
  NETWRIGHT_REFUSE_IF(!check::contiguous(x, 2), "the inputs of a step are not contiguous");
  NETWRIGHT_TRY(matrix(call, x_index + 1, gates * hidden, x.shape[2]));
  NETWRIGHT_TRY(matrix(call, x_index + 2, gates * hidden, hidden));
  for (int i = 1; i <= states; ++i) NETWRIGHT_TRY(matrix(call, i, batch, hidden));
  for (int i = bias_index + 1; i < call.num_operands; ++i)
    if (call.operand[i].data) NETWRIGHT_TRY(matrix(call, i, batch, hidden));
  NETWRIGHT_TRY(check::optional_vector(call, bias_index, 2 * gates * hidden));
  if (!y.data) return nullptr;
  NETWRIGHT_TRY(check::view(y, Format::fp32, 3));
  NETWRIGHT_REFUSE_IF(y.shape[0] != x.shape[0] || y.shape[1] != batch || y.shape[2] != hidden, "y is not [steps, batch, hidden]");
  return check::contiguous(y, 2) ? nullptr : "a step of y is not contiguous";
}

}  // namespace

const char* check::lstm(const Call& call) { return recurrent(call, 2, 4); }
const char* check::gru(const Call& call) { return recurrent(call, 1, 3); }
std::int64_t workspace::lstm(const Call& call) { return recurrent_workspace_bytes(call.operand[5].shape[1], 4); }
std::int64_t workspace::gru(const Call& call) { return recurrent_workspace_bytes(call.operand[4].shape[1], 3); }

}  // namespace netwright
