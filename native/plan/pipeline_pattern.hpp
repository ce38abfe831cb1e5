// Patterned pipeline schedules: warm up, then gradient, late weight gradient and forward pass in turn.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/pipeline.hpp"

namespace netwright::plan {

// One worker of one chunk: `warm_up` forward passes, then B, the W of `late` micro-batches ago, F in turn.
// A weight gradient comes earlier where memory asks for it.
struct Pattern {
  std::int32_t warm_up;
  std::int32_t late;
};

Orders patterned(const Pipeline& pipeline, const std::vector<Pattern>& patterns);

// Tries patterns and keeps what is shorter than `best`. Only for one chunk a worker.
void pattern_search(const Pipeline& pipeline, Found& best, std::int64_t passes, std::uint64_t seed);

}  // namespace netwright::plan
