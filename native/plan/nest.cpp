#include "plan/nest.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace netwright::plan {
namespace {

constexpr double kTiny = 1e-9;

bool has(std::uint64_t loops, std::int32_t loop) { return loops >> loop & 1; }

double dim_size(const TensorDim& dim, const double* extents) {
  if (dim.first < 0) return 1;
  if (dim.plain()) return extents[dim.first];
  const auto count = static_cast<std::int64_t>(extents[dim.first] + kTiny);
  if (dim.second < 0) return static_cast<double>(std::min(dim.extent, count));
  const auto taps = static_cast<std::int64_t>(extents[dim.second] + kTiny);
  const std::int64_t common = std::gcd(dim.step, dim.stride);
  const std::int64_t shared =
      std::max<std::int64_t>(0, taps - dim.step / common) * (count - dim.stride / common);
  return static_cast<double>(std::min(dim.extent, count * taps - shared));
}

double elements(const std::vector<TensorDim>& dims, const double* extents) {
  double total = 1;
  for (const TensorDim& dim : dims) total *= dim_size(dim, extents);
  return total;
}

int reach(const NestProblem& problem, const std::vector<std::int32_t>& path, std::int32_t axis) {
  for (std::size_t place = 0; place < path.size(); ++place)
    if (problem.levels[path[place]].serves >> axis & 1) return static_cast<int>(place);
  return static_cast<int>(path.size()) - 1;
}

// Mean members at work for every spatial loop: the last of a loop's takes what is left.
std::vector<double> shares_of(const NestProblem& problem, const Spatial& spatial, const std::vector<std::int64_t>& turns) {
  std::vector<double> left(problem.sizes.size());
  for (std::size_t i = 0; i < left.size(); ++i)
    left[i] = static_cast<double>(problem.sizes[i]) / static_cast<double>(turns[i]);
  std::vector<double> shares(spatial.size());
  for (std::size_t i = 0; i < spatial.size(); ++i) {
    bool last = true;
    for (std::size_t j = i + 1; j < spatial.size(); ++j) last = last && spatial[j].loop != spatial[i].loop;
    shares[i] = last ? left[spatial[i].loop] : spatial[i].unrolled;
    left[spatial[i].loop] /= shares[i];
  }
  return shares;
}

std::vector<std::int64_t> turns_of(const NestProblem& problem, const Spatial& spatial) {
  std::vector<std::int64_t> turns(problem.sizes);
  for (std::size_t i = 0; i < turns.size(); ++i) {
    std::int64_t unrolled = 1;
    for (const SpatialLoop& one : spatial)
      if (one.loop == static_cast<std::int32_t>(i)) unrolled *= one.unrolled;
    turns[i] = (turns[i] + unrolled - 1) / unrolled;
  }
  return turns;
}

}  // namespace

Unrolled::Unrolled(const NestProblem& problem, const Spatial& spatial, const Paths& paths, bool whole)
    : problem_(problem), paths_(paths), turns_(turns_of(problem, spatial)) {
  std::vector<double> shares = shares_of(problem, spatial, turns_);
  if (whole)
    for (double& share : shares) share = std::floor(share + kTiny);
  for (std::int64_t turns : turns_) cycles_ *= turns;
  const std::vector<double> full(problem.sizes.begin(), problem.sizes.end());
  outputs_ = elements(problem.dims[kOutputs], full.data());
  const std::size_t loops = problem.sizes.size();
  for (int operand = 0; operand < kOperands; ++operand) {
    const int places = this->places(operand);
    for (int place = 0; place < places; ++place) {
      std::vector<double> within(loops, 1.0), here(loops, 1.0);
      double same = 1, total = 1;
      for (std::size_t i = 0; i < spatial.size(); ++i) {
        const int at = reach(problem, paths[operand], spatial[i].axis);
        const std::int32_t loop = spatial[i].loop;
        if (at <= place) within[loop] *= shares[i];
        if (at > place) total *= shares[i];
        if (at != place) continue;
        here[loop] *= shares[i];
        if (!has(problem.uses[operand], loop) && !problem.multicast[spatial[i].axis]) same *= shares[i];
      }
      within_[operand].push_back(std::move(within));
      members_[operand].push_back(std::nearbyint(elements(problem.dims[operand], here.data()) * same));
      instances_[operand].push_back(static_cast<std::int64_t>(std::llrint(std::nearbyint(total * 1e3) / 1e3)));
    }
  }
  // summed_above_[place + 1]: of the outputs' level at `place`; -1 is the array itself.
  for (int place = -1; place < places(kOutputs); ++place) {
    bool sums = false;
    for (std::size_t i = 0; i < spatial.size(); ++i)
      sums = sums || (reach(problem, paths[kOutputs], spatial[i].axis) > place &&
                      !has(problem.uses[kOutputs], spatial[i].loop) && shares[i] > 1);
    summed_above_.push_back(sums);
  }
}

double Unrolled::tile(int operand, int place, const std::int64_t* extents) const {
  double all[64];
  const std::size_t loops = problem_.sizes.size();
  for (std::size_t i = 0; i < loops; ++i)
    all[i] = static_cast<double>(extents[i]) * (place < 0 ? 1.0 : within_[operand][place][i]);
  return std::nearbyint(elements(problem_.dims[operand], all));
}

bool Unrolled::partial(int place, const std::int64_t* extents) const {
  for (std::size_t i = 0; i < turns_.size(); ++i)
    if (!has(problem_.uses[kOutputs], static_cast<std::int32_t>(i)) && extents[i] < turns_[i]) return true;
  return summed_above_[place + 1];
}

std::int64_t Unrolled::bits(int operand, int place, const std::int64_t* extents) const {
  if (operand == kInputs) return problem_.input_bits;
  if (operand == kWeights) return problem_.weight_bits;
  return partial(place, extents) ? problem_.sum_bits : problem_.output_bits;
}

Crossing Unrolled::crossing(int operand, int place, const std::int64_t* extents) const {
  Crossing found;
  std::int64_t period = 1;
  for (std::size_t i = 0; i < turns_.size(); ++i) period *= extents[i];
  const double inner = tile(operand, place, extents);
  const double outer = inner * members_[operand][place + 1];
  const std::int64_t times = cycles_ / period;
  const int above = paths_[operand][place + 1];
  const bool again = operand == kOutputs && partial(place, extents);
  const std::int64_t width = bits(operand, place, extents);
  const auto add = [&](Flow flow, int level, double count, std::int64_t memories) {
    found.moved[found.count++] = {flow, level, count, width, period, times, memories};
  };
  const std::int64_t above_memories = instances_[operand][place + 1];
  if (operand == kOutputs) {
    add(kUpdate, above, outer, above_memories);
    if (again) add(kFeed, above, outer, above_memories);
  } else {
    add(kFeed, above, outer, above_memories);
  }
  if (place < 0) return found;
  const int below = paths_[operand][place];
  const std::int64_t below_memories = instances_[operand][place];
  if (operand == kOutputs) add(kDrain, below, inner, below_memories);
  if (operand != kOutputs || again) add(kFill, below, inner, below_memories);
  return found;
}

double Unrolled::words(int operand, const Movement& moved) const {
  const NestLevel& level = problem_.levels[moved.level];
  const double pieces = std::ceil(moved.elements * static_cast<double>(moved.bits) / static_cast<double>(level.access_bits) - kTiny);
  double words = pieces * (static_cast<double>(level.access_bits) / static_cast<double>(level.word_bits)) *
                 static_cast<double>(moved.times) * static_cast<double>(moved.instances);
  if (operand == kOutputs && !problem_.reads_first_sum && (moved.flow == kFeed || moved.flow == kFill)) {
    const double passed = moved.elements * static_cast<double>(moved.times) * static_cast<double>(moved.instances);
    words *= passed > outputs_ ? (passed - outputs_) / passed : 0.0;
  }
  return std::floor(words + 1e-6);
}

double Unrolled::joules(int operand, const Movement& moved) const {
  const NestLevel& level = problem_.levels[moved.level];
  const bool read = moved.flow == kFeed || moved.flow == kDrain;
  return words(operand, moved) * (read ? level.read_joules : level.write_joules);
}

Cut cut_at(const NestProblem& problem, const NestMapping& mapping, int operand, int place, bool holds) {
  Cut cut{0, std::vector<std::int64_t>(problem.sizes.size(), 1)};
  const auto& cuts = mapping.cuts[operand];
  std::size_t low = 0;
  if (place >= 0) low = place < static_cast<int>(cuts.size()) ? static_cast<std::size_t>(cuts[place]) : mapping.temporal.size();
  for (; cut.loops < low; ++cut.loops)
    cut.extents[mapping.temporal[cut.loops].loop] *= mapping.temporal[cut.loops].count;
  if (place < 0 && !holds) return cut;
  while (cut.loops < mapping.temporal.size() && !has(problem.uses[operand], mapping.temporal[cut.loops].loop)) {
    cut.extents[mapping.temporal[cut.loops].loop] *= mapping.temporal[cut.loops].count;
    ++cut.loops;
  }
  return cut;
}

double nest_joules(const Unrolled& unrolled, const NestMapping& mapping) {
  double total = 0;
  for (int operand = 0; operand < kOperands; ++operand) {
    for (int place = -1; place < unrolled.places(operand) - 1; ++place) {
      const Cut cut = cut_at(unrolled.problem(), mapping, operand, place, unrolled.holds(operand));
      const Crossing found = unrolled.crossing(operand, place, cut.extents.data());
      for (int i = 0; i < found.count; ++i) total += unrolled.joules(operand, found.moved[i]);
    }
  }
  return total;
}

double overlapped_cycles(const Unrolled& unrolled, const NestMapping& mapping) {
  const NestProblem& problem = unrolled.problem();
  std::vector<double> busy(problem.ports.size(), 0.0);
  for (int operand = 0; operand < kOperands; ++operand) {
    for (int place = -1; place < unrolled.places(operand) - 1; ++place) {
      const Cut cut = cut_at(problem, mapping, operand, place, unrolled.holds(operand));
      const Crossing found = unrolled.crossing(operand, place, cut.extents.data());
      for (int i = 0; i < found.count; ++i) {
        const Movement& moved = found.moved[i];
        const NestLevel& level = problem.levels[moved.level];
        const std::int32_t port = level.port[operand * kFlows + moved.flow];
        if (port >= 0)
          busy[port] += unrolled.words(operand, moved) * static_cast<double>(level.word_bits) / problem.ports[port] /
                        static_cast<double>(moved.instances);
      }
    }
  }
  double worst = static_cast<double>(unrolled.cycles()), waits = 0;
  for (std::size_t port = 0; port < busy.size(); ++port)
    if (problem.hidden[port]) worst = std::max(worst, busy[port]);
    else waits += busy[port];
  return worst + waits;
}

bool fits(const Unrolled& unrolled, const NestMapping& mapping, std::vector<double>* held) {
  const NestProblem& problem = unrolled.problem();
  held->assign(problem.levels.size(), 0.0);
  for (int operand = 0; operand < kOperands; ++operand) {
    for (int place = 0; place < unrolled.places(operand); ++place) {
      const Cut cut = cut_at(problem, mapping, operand, place, unrolled.holds(operand));
      (*held)[unrolled.paths()[operand][place]] +=
          unrolled.tile(operand, place, cut.extents.data()) *
          static_cast<double>(unrolled.bits(operand, place, cut.extents.data()));
    }
  }
  for (std::size_t level = 0; level < held->size(); ++level)
    if ((*held)[level] > problem.levels[level].capacity_bits) return false;
  return true;
}

NestCost nest_cost(const NestProblem& problem, const NestMapping& mapping) {
  NestCost cost;
  const Unrolled mean(problem, mapping.spatial, mapping.paths, false);
  cost.joules = nest_joules(mean, mapping);
  if (problem.windows) {
    const Unrolled whole(problem, mapping.spatial, mapping.paths, true);
    windowed_cycles(mean, whole, mapping, &cost);
  } else {
    cost.computing = static_cast<double>(mean.cycles());
  }
  cost.busiest = overlapped_cycles(mean, mapping);
  return cost;
}

}  // namespace netwright::plan
