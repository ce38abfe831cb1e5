#include "kernels/float_unary.hpp"

#include "kernels/float_check.hpp"

namespace netwright {
namespace {

bool takes_whole_numbers(Function function) {
  using enum Function;
  return function == identity || function == relu || function == clip || function == Function::abs || function == neg ||
         function == square || function == sign;
}

}  // namespace

const char* check::unary(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 3));
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_REFUSE_IF(!in_range(call, 0, 1, 0, kNumFunctions - 1), "unknown function code");
  if (x.format == Format::int32 || x.format == Format::int64) {
    NETWRIGHT_REFUSE_IF(!takes_whole_numbers(Function(call.parameter[0])), "the function does not take whole numbers");
    NETWRIGHT_REFUSE_IF(std::isnan(call.real(1)) || std::isnan(call.real(2)), "a bound is not a number");
    NETWRIGHT_TRY(view(out, x.format, -1));
    NETWRIGHT_TRY(view(x, x.format, -1));
    return same_shape(out, x) ? nullptr : "shapes differ";
  }
  const bool negates = call.parameter[0] == int(Function::logical_not), tests = negates || call.parameter[0] == int(Function::isnan);
  NETWRIGHT_TRY(view(out, tests ? Format::boolean : Format::fp32, -1));
  NETWRIGHT_TRY(view(x, negates ? Format::boolean : Format::fp32, -1));
  return same_shape(out, x) ? nullptr : "shapes differ";
}

}  // namespace netwright
