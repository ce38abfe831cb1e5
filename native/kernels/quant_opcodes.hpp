// Opcodes 1-11 by name, in both forms. Internal to native/kernels.
#pragma once

#include "vm/opcode.hpp"

#define NETWRIGHT_TOKEN_KERNELS(X) \
  X(gather_rows) X(rms_norm) X(quantize_rows) X(matmul_quant) X(glu) X(rope) X(cache_append) X(attention) X(matmul_dense) X(matmul_lookup) \
  X(matmul_codes)

#define NETWRIGHT_DECLARE_TOKEN(name)               \
  namespace baseline { void name(const Call&); }    \
  namespace avx2 { void name(const Call&); }        \
  namespace check { const char* name(const Call&); }
namespace netwright {
NETWRIGHT_TOKEN_KERNELS(NETWRIGHT_DECLARE_TOKEN)

namespace workspace {
std::int64_t matmul_quant(const Call&);
std::int64_t matmul_codes(const Call&);
std::int64_t attention(const Call&);
}  // namespace workspace
}  // namespace netwright
