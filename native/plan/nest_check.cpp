// What is wrong with a loop nest, an array, or a mapping: said once, so that nothing below has to look.
#include <cmath>

#include "plan/nest.hpp"

namespace netwright::plan {
namespace {

constexpr std::size_t kMostLoops = 16, kMostAxes = 16, kMostLevels = 16;
constexpr double kMostSteps = 1e15;

bool good(double value) { return std::isfinite(value) && value >= 0; }

const char* check_dim(const NestProblem& problem, const TensorDim& dim) {
  const auto loops = static_cast<std::int32_t>(problem.sizes.size());
  if (dim.first < -1 || dim.first >= loops || dim.second < -1 || dim.second >= loops) return "a dim is indexed by no loop";
  if (dim.first < 0 && dim.second >= 0) return "a dim has a second loop and no first";
  if (dim.step < 1 || dim.stride < 1 || dim.extent < 1) return "a dim has a step, stride or extent below 1";
  if (dim.step > 1 << 30 || dim.stride > 1 << 30) return "a dim has a step or stride above 2^30";
  return nullptr;
}

}  // namespace

const char* check(const NestProblem& problem) {
  if (problem.sizes.empty() || problem.sizes.size() > kMostLoops) return "a nest has 1 to 16 loops";
  double steps = 1;
  for (std::int64_t size : problem.sizes) {
    if (size < 1) return "a loop has a size below 1";
    steps *= static_cast<double>(size);
  }
  if (steps > kMostSteps) return "more than 1e15 steps";
  for (const auto& dims : problem.dims)
    for (const TensorDim& dim : dims)
      if (const char* problem_found = check_dim(problem, dim)) return problem_found;
  if (problem.multicast.empty() || problem.multicast.size() > kMostAxes) return "an array has 1 to 16 axes";
  if (problem.levels.empty() || problem.levels.size() > kMostLevels) return "an array has 1 to 16 levels";
  for (const NestLevel& level : problem.levels) {
    if (!good(level.capacity_bits) || !good(level.read_joules) || !good(level.write_joules)) return "a level has a figure that is not finite";
    if (level.access_bits < 1 || level.word_bits < level.access_bits) return "a level has words smaller than an access";
    for (std::int32_t port : level.port)
      if (port < -1 || port >= static_cast<std::int32_t>(problem.ports.size())) return "a flow names no port";
  }
  if (problem.hidden.size() != problem.ports.size()) return "not every port says whether it is hidden";
  if (problem.ports.size() > 32) return "more than 32 ports";
  for (double rate : problem.ports)
    if (!good(rate) || rate <= 0) return "a port moves nothing";
  for (std::int64_t bits : {problem.input_bits, problem.weight_bits, problem.sum_bits, problem.output_bits})
    if (bits < 1 || bits > 1024) return "an element has no or too many bits";
  return nullptr;
}

const char* check_options(const NestProblem& problem, const Spatial& spatial, const Paths& paths) {
  const auto loops = static_cast<std::int32_t>(problem.sizes.size());
  for (const SpatialLoop& one : spatial) {
    if (one.loop < 0 || one.loop >= loops || one.axis < 0 || one.axis >= static_cast<std::int32_t>(problem.multicast.size()))
      return "a spatial loop names no loop or axis";
    if (one.unrolled < 1) return "a loop is unrolled less than once";
  }
  for (const auto& path : paths) {
    if (path.empty() || path.back() >= static_cast<std::int32_t>(problem.levels.size())) return "a path ends at no level";
    for (std::size_t i = 0; i < path.size(); ++i)
      if (path[i] < 0 || (i && path[i] <= path[i - 1])) return "a path does not go outwards";
  }
  return nullptr;
}

const char* check(const NestProblem& problem, const NestMapping& mapping) {
  if (const char* problem_found = check_options(problem, mapping.spatial, mapping.paths)) return problem_found;
  const auto loops = static_cast<std::int32_t>(problem.sizes.size());
  std::vector<double> turned(problem.sizes.size(), 1.0), unrolled(problem.sizes.size(), 1.0);
  for (const SpatialLoop& one : mapping.spatial) unrolled[one.loop] *= one.unrolled;
  for (const TemporalLoop& one : mapping.temporal) {
    if (one.loop < 0 || one.loop >= loops || one.count < 1) return "a temporal loop names no loop or never turns";
    turned[one.loop] *= static_cast<double>(one.count);
  }
  for (std::int32_t i = 0; i < loops; ++i)
    if (turned[i] != std::ceil(static_cast<double>(problem.sizes[i]) / unrolled[i])) return "the loops do not cover the nest";
  for (int operand = 0; operand < kOperands; ++operand) {
    const auto& path = mapping.paths[operand];
    const auto& cuts = mapping.cuts[operand];
    if (cuts.size() + 1 != path.size()) return "an operand has not one cut below each level but the innermost";
    for (std::size_t i = 0; i < cuts.size(); ++i)
      if (cuts[i] < (i ? cuts[i - 1] : 0) || cuts[i] > static_cast<std::int32_t>(mapping.temporal.size())) return "cuts do not rise";
  }
  return nullptr;
}

}  // namespace netwright::plan
