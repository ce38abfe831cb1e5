#include "kernels/float_resize.hpp"

#include "kernels/float_window.hpp"

namespace netwright {

const char* check::resize(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 5));
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_TRY(image(out));
  NETWRIGHT_TRY(image(x));
  NETWRIGHT_REFUSE_IF(out.shape[0] != x.shape[0] || out.shape[1] != x.shape[1], "batch or channels differ");
  NETWRIGHT_REFUSE_IF(x.shape[2] < 1 || x.shape[3] < 1, "the image is empty");
  NETWRIGHT_REFUSE_IF(!in_range(call, 0, 1, 0, 1), "mode is not 0 or 1");
  NETWRIGHT_REFUSE_IF(!in_range(call, 1, 1, 0, 4) || !in_range(call, 2, 1, 0, 3), "unknown coordinate or rounding code");
  for (int i = 3; i < 5; ++i)
    NETWRIGHT_REFUSE_IF(!(call.real(i) >= 1e-6 && call.real(i) <= 1e6), "a scale is out of range");
  return nullptr;
}

}  // namespace netwright
