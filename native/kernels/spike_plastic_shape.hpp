// Operands of the opcodes of synapses that learn (vm/opcodes.md). A list of synapses has their other ends beside it, in
// its own order; without a list of numbers synapse k stands in place k.
#pragma once

#include "kernels/spike_shape.hpp"

namespace netwright::spike {

// sum [1, B, T] ; spikes [1, B, S], weight [B, E], starts [P, S + 1], synapses [E]?, targets [E] | spikes expected
enum PlasticOperand { kPlasticSum, kPlasticSpikes, kPlasticWeight, kPlasticStarts, kPlasticSynapses, kPlasticTargets, kPlasticOperands };

// weight [B, E] ; pre [1, B, S], post [1, B, T], trace of pre [B, S], of post [B, T], fall [B, 1], rows of the sources:
// starts [P, S + 1], synapses [E]?, targets [E], ends [E]; columns of the targets: starts [T + 1], synapses, sources, ends [E]
//     | rise, spikes expected of sources, of targets
enum StdpOperand {
  kStdpWeight, kStdpPre, kStdpPost, kStdpTracePre, kStdpTracePost, kStdpFall, kStdpRows, kStdpRowSynapses, kStdpRowTargets,
  kStdpRowEnds, kStdpColumns, kStdpColumnSynapses, kStdpColumnSources, kStdpColumnEnds, kStdpOperands
};

}  // namespace netwright::spike
