#include "spikes/chip_trace.hpp"

#include <algorithm>

namespace netwright::chip {

namespace {

bool rises(std::span<const std::int64_t> start, std::size_t end) {
  return !start.empty() && start.front() == 0 && std::ranges::is_sorted(start) &&
         static_cast<std::size_t>(start.back()) == end;
}

}  // namespace

const char* check(const Trace& trace, const Axons& axons, const Counts& counts, std::int64_t cores,
                  std::span<const std::int8_t> kind, std::int64_t kinds) {
  if (cores < 1 || kinds < 1) return "cores and kinds: at least one";
  if (!rises(trace.step_start, trace.neuron.size())) return "step_start must rise from 0 to the number of spikes";
  if (!rises(axons.axon_start, axons.core.size())) return "axon_start must rise from 0 to the number of axons";
  if (axons.synapses.size() != axons.core.size() || kind.size() != axons.core.size()) return "core, synapses and kind: one an axon";
  if (axons.home.size() + 1 != axons.axon_start.size()) return "home: one a neuron";
  const auto neurons = static_cast<std::int32_t>(axons.home.size());
  const auto inside = [](auto low, auto high) { return [=](auto value) { return low <= value && value < high; }; };
  if (!std::ranges::all_of(trace.neuron, inside(0, neurons))) return "a spike is of a neuron that is not there";
  if (!std::ranges::all_of(axons.core, inside(0, cores))) return "an axon ends in a core that is not there";
  if (!std::ranges::all_of(axons.home, inside(-1, cores))) return "a neuron is on a core that is not there";
  if (!std::ranges::all_of(kind, inside(0, kinds))) return "a kind of synapse is not there";
  const std::size_t cells = (trace.step_start.size() - 1) * static_cast<std::size_t>(cores);
  if (counts.fired.size() != cells || counts.packets_out.size() != cells || counts.packets_in.size() != cells ||
      counts.synapses.size() != cells * static_cast<std::size_t>(kinds)) return "counts: [steps, cores]";
  return nullptr;
}

void count(const Trace& trace, const Axons& axons, const Counts& counts, std::int64_t cores,
           std::span<const std::int8_t> kind, std::int64_t kinds) {
  for (std::size_t t = 0; t + 1 < trace.step_start.size(); ++t) {
    const std::int64_t row = static_cast<std::int64_t>(t) * cores;
    for (std::int64_t s = trace.step_start[t]; s < trace.step_start[t + 1]; ++s) {
      const std::int32_t neuron = trace.neuron[s], home = axons.home[neuron];
      const std::int64_t begin = axons.axon_start[neuron], end = axons.axon_start[neuron + 1];
      if (home >= 0) {
        counts.fired[row + home] += 1;
        counts.packets_out[row + home] += end - begin;
      }
      for (std::int64_t a = begin; a < end; ++a) {
        const std::int64_t cell = row + axons.core[a];
        counts.packets_in[cell] += 1;
        counts.synapses[cell * kinds + kind[a]] += axons.synapses[a];
      }
    }
  }
}

}  // namespace netwright::chip
