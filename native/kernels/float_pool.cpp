#include "kernels/float_pool.hpp"

namespace netwright {

const char* check::pool(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 10));
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_TRY(image(out));
  NETWRIGHT_TRY(image(x));
  NETWRIGHT_REFUSE_IF(out.shape[0] != x.shape[0] || out.shape[1] != x.shape[1], "batch or channels differ");
  NETWRIGHT_REFUSE_IF(!in_range(call, 0, 1, 0, 1) || !in_range(call, 9, 1, 0, 1), "mode or count_include_pad is not 0 or 1");
  return window(call, 1);
}

}  // namespace netwright
