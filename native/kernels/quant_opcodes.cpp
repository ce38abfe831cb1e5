#include "kernels/quant_opcodes.hpp"

#include "kernels/quant.hpp"

namespace netwright {
namespace {

#if defined(__x86_64__)
#define NETWRIGHT_FAST(name) avx2::name
#else
#define NETWRIGHT_FAST(name) nullptr
#endif
#define NETWRIGHT_OPCODE(code, name, workspace) \
  {code, #name, 1, check::name, workspace, baseline::name, NETWRIGHT_FAST(name)}

constexpr Opcode kOpcodes[] = {
    NETWRIGHT_OPCODE(1, gather_rows, nullptr),
    NETWRIGHT_OPCODE(2, rms_norm, nullptr),
    NETWRIGHT_OPCODE(3, quantize_rows, nullptr),
    NETWRIGHT_OPCODE(4, matmul_quant, workspace::matmul_quant),
    NETWRIGHT_OPCODE(5, glu, nullptr),
    NETWRIGHT_OPCODE(6, rope, nullptr),
    NETWRIGHT_OPCODE(7, cache_append, nullptr),
    NETWRIGHT_OPCODE(8, attention, workspace::attention),
    NETWRIGHT_OPCODE(9, matmul_dense, nullptr),
    NETWRIGHT_OPCODE(10, matmul_lookup, nullptr),
    NETWRIGHT_OPCODE(11, matmul_codes, workspace::matmul_codes),
};

}  // namespace

std::span<const Opcode> quant_opcodes() { return kOpcodes; }

}  // namespace netwright
