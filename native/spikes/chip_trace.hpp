// What a recorded run makes happen on the cores of a chip, step by step: counts only, no clock and no joule.
#pragma once

#include <cstdint>
#include <span>

namespace netwright::chip {

// Spikes of step t are neuron[step_start[t] .. step_start[t + 1]).
struct Trace {
  std::span<const std::int64_t> step_start;
  std::span<const std::int32_t> neuron;
};

// Axons of neuron n are [axon_start[n], axon_start[n + 1]): the core that listens, and its synapses for this neuron.
struct Axons {
  std::span<const std::int64_t> axon_start;
  std::span<const std::int32_t> core, synapses;
  std::span<const std::int32_t> home;  // the core of a neuron; -1: outside the chip
};

// [steps, cores] each, in C order, zero at first. `synapses` is by kind of synapse: [steps, cores, kinds].
struct Counts {
  std::span<std::int64_t> fired, packets_out, packets_in, synapses;
};

// nullptr, or what is wrong.
const char* check(const Trace& trace, const Axons& axons, const Counts& counts, std::int64_t cores,
                  std::span<const std::int8_t> kind, std::int64_t kinds);

// `kind` of each axon.
void count(const Trace& trace, const Axons& axons, const Counts& counts, std::int64_t cores,
           std::span<const std::int8_t> kind, std::int64_t kinds);

}  // namespace netwright::chip
