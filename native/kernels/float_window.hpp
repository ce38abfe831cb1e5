// The window of a convolution or a pooling: sizes, steps and pads as the opcodes carry them.
#pragma once

#include <cstdint>

#include "kernels/float_check.hpp"
#include "vm/opcode.hpp"

namespace netwright {

struct Window {
  std::int64_t kernel_y, kernel_x, stride_y, stride_x, pad_top, pad_left, dilation_y, dilation_x;

  // From parameters first .. first + 7.
  static Window of(const Call& call, int first) {
    const std::int64_t* p = call.parameter + first;
    return {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]};
  }
  std::int64_t taps() const { return kernel_y * kernel_x; }
};

namespace check {

inline constexpr std::int64_t kMaxTaps = 65536;

inline const char* window(const Call& call, int first) {
  constexpr std::int64_t most = std::int64_t{1} << 20;
  NETWRIGHT_REFUSE_IF(!in_range(call, first, 4, 1, most), "a kernel size or stride is out of range");
  NETWRIGHT_REFUSE_IF(!in_range(call, first + 4, 2, 0, most), "a pad is out of range");
  NETWRIGHT_REFUSE_IF(!in_range(call, first + 6, 2, 1, most), "a dilation is out of range");
  NETWRIGHT_REFUSE_IF(Window::of(call, first).taps() > kMaxTaps, "the kernel has more than 65536 taps");
  return nullptr;
}

// fp32 [N, C, H, W] with the channels of a pixel next to each other.
inline const char* image(const Operand& operand) {
  NETWRIGHT_TRY(view(operand, Format::fp32, 4));
  NETWRIGHT_REFUSE_IF(!contiguous(operand, 1), "an image is not channels-last");
  for (int d = 0; d < 4; ++d) NETWRIGHT_REFUSE_IF(operand.shape[d] > (std::int64_t{1} << 24), "an image is too large");
  return nullptr;
}

// out, x (operands 0 and 1), bias and residual (3 and 4) of a convolution whose weight is operand 2.
inline const char* convolution_operands(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_TRY(image(out));
  NETWRIGHT_TRY(image(x));
  NETWRIGHT_REFUSE_IF(out.shape[0] != x.shape[0], "batches differ");
  NETWRIGHT_REFUSE_IF(out.shape[1] < 1 || x.shape[1] < 1, "an image has no channels");
  NETWRIGHT_TRY(optional_vector(call, 3, out.shape[1]));
  if (present(call, 4)) {
    NETWRIGHT_TRY(image(call.operand[4]));
    NETWRIGHT_REFUSE_IF(!same_shape(call.operand[4], out), "the residual does not match out");
  }
  return nullptr;
}

}  // namespace check
}  // namespace netwright
