// Every spiking kernel by name, in both forms. Internal to native/kernels/spike_*.
// No form uses a fused multiply-add: both give the same bits.
#pragma once

#include "vm/opcode.hpp"

#define NETWRIGHT_SPIKE_KERNELS(X) \
  X(neuron) X(spike_scatter) X(spike_rows) X(matmul_spikes) X(spike_procedural) X(poisson) X(spike_source) X(tick) X(row_copy) \
  X(plastic_connect) X(stdp) X(spike_trace) X(astrocyte)

#define NETWRIGHT_DECLARE(name)                     \
  namespace baseline { void name(const Call&); }    \
  namespace avx2 { void name(const Call&); }        \
  namespace check { const char* name(const Call&); }
namespace netwright {
NETWRIGHT_SPIKE_KERNELS(NETWRIGHT_DECLARE)
#undef NETWRIGHT_DECLARE

namespace check {
const char* scatter_rows(const Call&);  // what spike_scatter trusts
const char* plastic_rows(const Call&);  // what plastic_connect trusts
const char* stdp_rows(const Call&);     // what stdp trusts
}  // namespace check

namespace workspace {
std::int64_t spikes_of_bits(const Call&);
std::int64_t spikes_of_row(const Call&);
std::int64_t plastic_connect(const Call&);
std::int64_t stdp(const Call&);
}  // namespace workspace
}  // namespace netwright
