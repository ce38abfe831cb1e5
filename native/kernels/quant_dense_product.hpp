// The operands of matmul_dense made plain.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vm/opcode.hpp"

namespace netwright {

struct DenseProduct {
  float* out;               // [T, N]
  const float* x;           // [T, K]
  const std::byte* weight;  // [N] rows of K
  const float* bias = nullptr;
  const float* residual = nullptr;  // [T, N]; may be `out`
  std::int64_t out_stride, x_stride, residual_stride = 0;  // elements
  std::int64_t weight_stride;                              // bytes
  std::int64_t num_tokens, num_rows, k;

  explicit DenseProduct(const Call& call)
      : out(reinterpret_cast<float*>(call.operand[0].data)),
        x(reinterpret_cast<const float*>(call.operand[1].data)),
        weight(call.operand[2].data),
        out_stride(call.operand[0].stride[0] / 4),
        x_stride(call.operand[1].stride[0] / 4),
        weight_stride(call.operand[2].stride[0]),
        num_tokens(call.operand[1].shape[0]),
        num_rows(call.operand[2].shape[0]),
        k(call.operand[2].shape[1]) {
    if (call.num_operands > 3) bias = reinterpret_cast<const float*>(call.operand[3].data);
    if (call.num_operands > 4 && call.operand[4].data != nullptr) {
      residual = reinterpret_cast<const float*>(call.operand[4].data);
      residual_stride = call.operand[4].stride[0] / 4;
    }
  }
};

}  // namespace netwright
