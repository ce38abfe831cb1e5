#include "kernels/spike.hpp"
#include "kernels/spike_kernels.hpp"

#if defined(__x86_64__)
#define NETWRIGHT_FAST(name) avx2::name
#else
#define NETWRIGHT_FAST(name) nullptr
#endif

namespace netwright {
namespace {

constexpr std::uint32_t kScatterIndices = 1u << 3 | 1u << 4;
constexpr std::uint32_t kPlasticIndices = 7u << 3;
constexpr std::uint32_t kStdpIndices = 7u << 6 | 7u << 10;

constexpr Opcode kOpcodes[] = {
    {80, "neuron", 9, check::neuron, nullptr, baseline::neuron, NETWRIGHT_FAST(neuron)},
    {81, "spike_scatter", 1, check::spike_scatter, workspace::spikes_of_bits, baseline::spike_scatter, nullptr, kScatterIndices,
     check::scatter_rows},
    {82, "spike_rows", 1, check::spike_rows, workspace::spikes_of_bits, baseline::spike_rows, NETWRIGHT_FAST(spike_rows)},
    {83, "matmul_spikes", 1, check::matmul_spikes, workspace::spikes_of_row, baseline::matmul_spikes, NETWRIGHT_FAST(matmul_spikes)},
    {84, "spike_procedural", 1, check::spike_procedural, workspace::spikes_of_bits, baseline::spike_procedural, NETWRIGHT_FAST(spike_procedural)},
    {85, "poisson", 1, check::poisson, nullptr, baseline::poisson, NETWRIGHT_FAST(poisson)},
    {86, "spike_source", 2, check::spike_source, nullptr, baseline::spike_source, NETWRIGHT_FAST(spike_source)},
    {87, "tick", 1, check::tick, nullptr, baseline::tick, nullptr},
    {88, "row_copy", 1, check::row_copy, nullptr, baseline::row_copy, nullptr},
    {90, "plastic_connect", 1, check::plastic_connect, workspace::plastic_connect, baseline::plastic_connect, NETWRIGHT_FAST(plastic_connect),
     kPlasticIndices, check::plastic_rows},
    {91, "stdp", 1, check::stdp, workspace::stdp, baseline::stdp, NETWRIGHT_FAST(stdp), kStdpIndices, check::stdp_rows},
    {92, "spike_trace", 1, check::spike_trace, nullptr, baseline::spike_trace, NETWRIGHT_FAST(spike_trace)},
    {93, "astrocyte", 1, check::astrocyte, nullptr, baseline::astrocyte, NETWRIGHT_FAST(astrocyte)},
};

}  // namespace

std::span<const Opcode> spike_opcodes() { return kOpcodes; }

}  // namespace netwright
