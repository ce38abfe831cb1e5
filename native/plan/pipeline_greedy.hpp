// Greedy pipeline schedules: time runs, and each idle worker takes a pass by a rule of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/pipeline.hpp"

namespace netwright::plan {

// How one worker chooses. An input gradient that is there goes first, unless fewer than `warm_up` forward
// passes were done; a forward pass goes next if fewer than `most_ahead` wait for their gradient. A weight
// gradient is done when more than `reserve` are left, when memory is short, or in a gap of at least `gap` of it.
struct Rule {
  std::int32_t warm_up = 0;
  std::int32_t most_ahead = 1 << 30;
  std::int32_t reserve = 0;
  double gap = 1.0;
};

// The schedule of these rules (one a worker); empty orders when it gets stuck.
Orders greedy(const Pipeline& pipeline, const std::vector<Rule>& rules);

// Tries rules and keeps what is shorter than `best`.
void greedy_search(const Pipeline& pipeline, Found& best, std::int64_t passes, std::uint64_t seed);

}  // namespace netwright::plan
