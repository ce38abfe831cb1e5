#include "kernels/float_copy.hpp"

namespace netwright {

const char* check::copy(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 0));
  for (int i = 0; i < 2; ++i) {
    NETWRIGHT_REFUSE_IF(element_bytes(call.operand[i].format) == 0, "copy takes plain formats");
    NETWRIGHT_TRY(view(call.operand[i], call.operand[i].format, -1));
  }
  return same_shape(call.operand[0], call.operand[1]) ? nullptr : "shapes differ";
}

const char* check::fill(const Call& call) {
  NETWRIGHT_TRY(counts(call, 1, 1, 1));
  NETWRIGHT_REFUSE_IF(element_bytes(call.operand[0].format) == 0, "fill takes plain formats");
  return view(call.operand[0], call.operand[0].format, -1);
}

}  // namespace netwright
