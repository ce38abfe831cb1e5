#include "kernels/float_reduce.hpp"

#include "kernels/float_check.hpp"

namespace netwright {

const char* check::reduce(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 1));
  NETWRIGHT_REFUSE_IF(!in_range(call, 0, 1, 0, kNumReductions - 1), "unknown reduction code");
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_REFUSE_IF(x.format != Format::fp32 && x.format != Format::int32 && x.format != Format::int64,
                      "reduce takes fp32, int32 and int64");
  NETWRIGHT_TRY(view(out, x.format, 2));
  NETWRIGHT_TRY(view(x, x.format, 3));
  return out.shape[0] == x.shape[0] && out.shape[1] == x.shape[2] ? nullptr : "out is not [outer, inner]";
}

}  // namespace netwright
