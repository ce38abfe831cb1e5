#include "kernels/float_binary.hpp"

#include "kernels/float_check.hpp"

namespace netwright {
namespace {

bool is_number(Format format) { return format == Format::fp32 || format == Format::int32 || format == Format::int64; }

}  // namespace

const char* check::binary(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 3, 4));
  NETWRIGHT_REFUSE_IF(!in_range(call, 0, 1, 0, kNumOperators - 1), "unknown operator code");
  const Operand &out = call.operand[0], &a = call.operand[1], &b = call.operand[2];
  const bool compares = call.parameter[0] >= kFirstComparison, logical = call.parameter[0] >= int(Operator::logical_and);
  NETWRIGHT_REFUSE_IF(logical ? a.format != Format::boolean : !is_number(a.format) && !(compares && a.format == Format::boolean),
                      "the operator does not take this format");
  NETWRIGHT_TRY(view(a, a.format, -1));
  NETWRIGHT_TRY(view(b, a.format, -1));
  NETWRIGHT_TRY(view(out, compares ? Format::boolean : a.format, -1));
  NETWRIGHT_REFUSE_IF(!same_shape(out, a) || !same_shape(out, b), "shapes differ: broadcast by stride 0");
  NETWRIGHT_TRY(fused_function(call, 1));
  const bool fuses = call.parameter[1] != int(Function::identity);
  return fuses && out.format != Format::fp32 ? "only fp32 results take a function" : nullptr;
}

const char* check::where(const Call& call) {
  NETWRIGHT_TRY(counts(call, 4, 4, 0));
  const Operand& out = call.operand[0];
  NETWRIGHT_REFUSE_IF(!is_number(out.format) && out.format != Format::boolean, "where does not take this format");
  NETWRIGHT_TRY(view(out, out.format, -1));
  NETWRIGHT_TRY(view(call.operand[1], Format::boolean, -1));
  for (int i = 2; i < 4; ++i) NETWRIGHT_TRY(view(call.operand[i], out.format, -1));
  for (int i = 1; i < 4; ++i) NETWRIGHT_REFUSE_IF(!same_shape(out, call.operand[i]), "shapes differ: broadcast by stride 0");
  return nullptr;
}

}  // namespace netwright
