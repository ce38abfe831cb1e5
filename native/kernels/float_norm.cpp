#include "kernels/float_norm.hpp"

#include "kernels/float_check.hpp"

namespace netwright {
namespace {

// out and x: fp32 [R, K], rows contiguous, at least one column.
const char* rows(const Call& call) {
  for (int i = 0; i < 2; ++i) {
    NETWRIGHT_TRY(check::view(call.operand[i], Format::fp32, 2));
    NETWRIGHT_REFUSE_IF(!check::contiguous(call.operand[i], 1), "rows are not contiguous");
  }
  NETWRIGHT_REFUSE_IF(call.operand[0].shape[1] < 1, "rows are empty");
  return check::same_shape(call.operand[0], call.operand[1]) ? nullptr : "shapes differ";
}

}  // namespace

const char* check::softmax(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 1));
  NETWRIGHT_REFUSE_IF(!in_range(call, 0, 1, 0, 1), "log is not 0 or 1");
  return rows(call);
}

const char* check::layer_norm(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 5, 1));
  NETWRIGHT_TRY(rows(call));
  NETWRIGHT_REFUSE_IF(!call.operand[2].data, "the scale is absent");
  NETWRIGHT_TRY(optional_vector(call, 2, call.operand[0].shape[1]));
  NETWRIGHT_TRY(optional_vector(call, 3, call.operand[0].shape[1]));
  if (present(call, 4)) {
    NETWRIGHT_TRY(view(call.operand[4], Format::fp32, 2));
    NETWRIGHT_REFUSE_IF(!same_shape(call.operand[4], call.operand[0]) || !contiguous(call.operand[4], 1), "the residual does not match out");
  }
  return nullptr;
}

}  // namespace netwright
