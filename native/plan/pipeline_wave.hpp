// Wave: a greedy schedule for two chunks a worker in the shape of a V, round by round.
#pragma once

#include "plan/pipeline.hpp"

namespace netwright::plan {

// Qi et al., arXiv 2401.10241, appendix on ZB-V: forward passes until memory is full, then one gradient and one
// forward pass a worker in turn; weight gradients where a worker would wait, and where a shorter wait would still
// make it the worker that waits most. Keeps what is shorter than `best`. Nothing where the placement is no V.
void wave_search(const Pipeline& pipeline, Found& best);

}  // namespace netwright::plan
