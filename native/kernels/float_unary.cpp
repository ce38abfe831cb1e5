#include "kernels/float_unary.hpp"

#include "kernels/float_check.hpp"

namespace netwright {

const char* check::unary(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 3));
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_REFUSE_IF(!in_range(call, 0, 1, 0, kNumFunctions - 1), "unknown function code");
  const bool negates = call.parameter[0] == int(Function::logical_not), tests = negates || call.parameter[0] == int(Function::isnan);
  NETWRIGHT_TRY(view(out, tests ? Format::boolean : Format::fp32, -1));
  NETWRIGHT_TRY(view(x, negates ? Format::boolean : Format::fp32, -1));
  return same_shape(out, x) ? nullptr : "shapes differ";
}

}  // namespace netwright
