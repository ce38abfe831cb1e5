#include "kernels/float_group_norm.hpp"

#include "kernels/float_check.hpp"

namespace netwright {

const char* check::group_norm(const Call& call) {
  NETWRIGHT_TRY(counts(call, 4, 4, 2));
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_TRY(view(out, Format::fp32, 3));
  NETWRIGHT_TRY(view(x, Format::fp32, 3));
  NETWRIGHT_REFUSE_IF(!same_shape(out, x), "shapes differ");
  NETWRIGHT_REFUSE_IF(call.parameter[0] < 1 || x.shape[1] < 1 || x.shape[1] % call.parameter[0], "groups do not divide the channels");
  for (int i = 2; i < 4; ++i) {
    NETWRIGHT_REFUSE_IF(!call.operand[i].data, "the scale or bias is absent");
    NETWRIGHT_TRY(optional_vector(call, i, x.shape[1]));
  }
  return nullptr;
}

}  // namespace netwright
