// Every float kernel by name, in both forms. Internal to native/kernels/float_*.
#pragma once

#include "vm/opcode.hpp"

#define NETWRIGHT_FLOAT_KERNELS(X)                                                                              \
  X(gemm_packed) X(matmul_batched) X(conv_packed) X(conv_winograd) X(conv_depthwise) X(conv_transpose) X(pool)  \
  X(resize) X(unary) X(binary) X(where) X(copy) X(fill) X(softmax) X(layer_norm) X(reduce) X(arg_reduce)        \
  X(gather) X(lstm) X(gru) X(group_norm) X(gather_elements) X(gather_nd) X(scatter_nd) X(cumulative_sum)        \
  X(top_k) X(lp_norm)

#define NETWRIGHT_DECLARE(name)                     \
  namespace baseline { void name(const Call&); }    \
  namespace avx2 { void name(const Call&); }        \
  namespace check { const char* name(const Call&); }
namespace netwright {
NETWRIGHT_FLOAT_KERNELS(NETWRIGHT_DECLARE)

// The form of conv_transpose whose windows do not overlap (float_transpose.hpp).
namespace baseline { void transpose_spread(const Call&); }
namespace avx2 { void transpose_spread(const Call&); }

namespace workspace {
std::int64_t transpose_spread(const Call&);
std::int64_t gemm_packed(const Call&);
std::int64_t conv_packed(const Call&);
std::int64_t conv_winograd(const Call&);
std::int64_t conv_transpose(const Call&);
std::int64_t conv_depthwise(const Call&);
std::int64_t matmul_batched(const Call&);
std::int64_t lstm(const Call&);
std::int64_t gru(const Call&);
std::int64_t top_k(const Call&);
}  // namespace workspace
}  // namespace netwright
