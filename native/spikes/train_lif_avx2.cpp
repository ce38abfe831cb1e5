#include "spikes/train_lif_steps.hpp"

namespace netwright::train {

void lif_forward_avx2(const LifShape& shape, const LifNeurons& neurons, const LifForward& call, Lanes lanes) {
  NETWRIGHT_ISA::forward_any(shape, neurons, call, lanes);
}

void lif_backward_avx2(const LifShape& shape, const LifNeurons& neurons, const LifBackward& call, Lanes lanes) {
  NETWRIGHT_ISA::backward_any(shape, neurons, call, lanes);
}

}  // namespace netwright::train
