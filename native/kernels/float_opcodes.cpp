#include "kernels/float.hpp"
#include "kernels/float_kernels.hpp"

// The *_avx2.cpp files are empty of code elsewhere than on x86-64.
#if defined(__x86_64__)
#define NETWRIGHT_FAST(name) avx2::name
#else
#define NETWRIGHT_FAST(name) nullptr
#endif
#define NETWRIGHT_PLAIN(code, written, name, workspace) {code, #name, written, check::name, workspace, baseline::name, nullptr}
#define NETWRIGHT_ENTRY(code, written, name, workspace) {code, #name, written, check::name, workspace, baseline::name, NETWRIGHT_FAST(name)}

namespace netwright {
namespace {

constexpr Opcode kOpcodes[] = {
    NETWRIGHT_ENTRY(16, 1, gemm_packed, workspace::gemm_packed),
    NETWRIGHT_ENTRY(17, 1, matmul_batched, workspace::matmul_batched),
    NETWRIGHT_ENTRY(18, 1, conv_packed, workspace::conv_packed),
    NETWRIGHT_ENTRY(19, 1, conv_depthwise, workspace::conv_depthwise),
    NETWRIGHT_ENTRY(20, 1, conv_transpose, workspace::conv_transpose),
    NETWRIGHT_ENTRY(21, 1, pool, nullptr),
    NETWRIGHT_ENTRY(22, 1, resize, nullptr),
    NETWRIGHT_ENTRY(32, 1, unary, nullptr),
    NETWRIGHT_ENTRY(33, 1, binary, nullptr),
    NETWRIGHT_ENTRY(34, 1, where, nullptr),
    NETWRIGHT_ENTRY(35, 1, copy, nullptr),
    NETWRIGHT_ENTRY(36, 1, fill, nullptr),
    NETWRIGHT_ENTRY(37, 1, softmax, nullptr),
    NETWRIGHT_ENTRY(38, 1, layer_norm, nullptr),
    NETWRIGHT_ENTRY(39, 1, reduce, nullptr),
    NETWRIGHT_PLAIN(40, 1, arg_reduce, nullptr),
    NETWRIGHT_PLAIN(41, 1, gather, nullptr),
    NETWRIGHT_ENTRY(42, 3, lstm, workspace::lstm),
    NETWRIGHT_ENTRY(43, 2, gru, workspace::gru),
    NETWRIGHT_ENTRY(44, 1, group_norm, nullptr),
    NETWRIGHT_PLAIN(45, 1, gather_elements, nullptr),
    NETWRIGHT_PLAIN(46, 1, gather_nd, nullptr),
    NETWRIGHT_PLAIN(47, 1, scatter_nd, nullptr),
    NETWRIGHT_PLAIN(48, 1, cumulative_sum, nullptr),
    NETWRIGHT_PLAIN(49, 2, top_k, workspace::top_k),
    NETWRIGHT_PLAIN(50, 1, lp_norm, nullptr),
    NETWRIGHT_ENTRY(51, 1, conv_winograd, workspace::conv_winograd),
};

}  // namespace

std::span<const Opcode> float_opcodes() { return kOpcodes; }

}  // namespace netwright
