// The best mapping of a loop nest onto an array: every way of tiling it by divisors, pruned by admissible bounds.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/nest.hpp"

namespace netwright::plan {

enum class MappingGoal : std::int32_t { kCycles, kJoules };

struct MappingOptions {
  std::vector<Spatial> spatial;
  std::vector<Paths> paths;
  MappingGoal goal;
  std::int64_t visits;  // cuts that may be tried, in all options together
};

struct FoundMapping {
  bool found = false;
  NestMapping mapping;
  NestCost cost;
  double bound = 0;     // no mapping of the space has less of the goal
  bool proved = false;  // the goal cannot be less (cycles first; then joules, unless windows stall)
  std::int64_t visits = 0;
  // When nothing fits: for each level, the bits that would admit a mapping were the others as they are.
  std::vector<double> smallest;
};

FoundMapping find_mapping(const NestProblem& problem, const MappingOptions& options);

}  // namespace netwright::plan
