// Cycles of a loop nest by the windows in which ports may move data (src/netwright/cost/port_stalls.py).
#include <algorithm>
#include <cmath>
#include <map>

#include "plan/nest.hpp"

namespace netwright::plan {
namespace {

struct Duty {
  int operand, place, level;
  std::int32_t port;
  Movement moved;
  std::int64_t real, allowed;
  double left = 0;  // at the beginning or the end, when what happens once is hidden
  std::int64_t stall() const { return (real - allowed) * (moved.times - 1); }
  bool towards() const { return moved.flow == kFeed || moved.flow == kUpdate; }
  int inner() const { return towards() ? place - 1 : place; }
  bool turns_back() const { return operand == kOutputs && (moved.flow == kFeed || moved.flow == kFill); }
};

bool has(std::uint64_t loops, std::int32_t loop) { return loops >> loop & 1; }

Cuts cuts_of(const Unrolled& unrolled, const NestMapping& mapping) {
  Cuts cuts;
  for (int operand = 0; operand < kOperands; ++operand)
    for (int place = -1; place < unrolled.places(operand); ++place)
      cuts[operand].push_back(cut_at(unrolled.problem(), mapping, operand, place, unrolled.holds(operand)));
  return cuts;
}

// The product of the outermost loops of a level's own that are among `loops`, or are not.
std::int64_t top(const NestMapping& mapping, const std::vector<Cut>& cuts, int place, std::uint64_t loops, bool among) {
  if (place < 0) return 1;
  const std::size_t low = place > 0 ? cuts[place].loops : 0;
  std::int64_t total = 1;
  for (std::size_t i = cuts[place + 1].loops; i-- > low;) {
    if (has(loops, mapping.temporal[i].loop) != among) break;
    total *= mapping.temporal[i].count;
  }
  return total;
}

// The same when the loops of every block may turn in any order: the most of those that are alone in a dim, the least
// of those that do not index the operand. A block whose innermost loop is of another kind ends them.
struct Tops {
  std::int64_t alone = 1, irrelevant = 1;
};
Tops best_tops(const NestProblem& problem, const Blocks& blocks, const std::vector<Cut>& cuts, int operand, int place) {
  Tops best;
  if (place < 0) return best;
  bool alone = true, irrelevant = true;
  const std::size_t low = place > 0 ? cuts[place].loops : 0;
  for (std::size_t block = cuts[place + 1].loops; block > low; --block) {
    std::int64_t with = 1, without = 1;
    bool other = false, indexed = false;
    for (std::size_t loop = 0; loop < problem.sizes.size(); ++loop) {
      const std::int64_t count = blocks[block][loop] / blocks[block - 1][loop];
      if (count == 1) continue;
      const bool uses = has(problem.uses[operand], static_cast<std::int32_t>(loop));
      if (has(problem.alone[operand], static_cast<std::int32_t>(loop))) with *= count;
      else other = true;
      if (uses) indexed = true;
      else without *= count;
    }
    if (alone) best.alone *= with;
    alone = alone && !other;
    if (indexed) irrelevant = false;
    if (irrelevant) best.irrelevant *= without;
  }
  return best;
}

using Flags = std::array<std::vector<bool>, kOperands>;

// `mapping` null: whether some order of the loops of `blocks` leaves room.
Flags double_buffered(const Unrolled& mean, const NestMapping* mapping, const Blocks& blocks, const Cuts& cuts) {
  const NestProblem& problem = mean.problem();
  std::vector<double> shared(problem.levels.size(), 0.0);
  std::array<std::vector<double>, kOperands> alone;
  for (int operand = 0; operand < kOperands; ++operand) {
    for (int place = 0; place < mean.places(operand); ++place) {
      const std::int64_t* extents = cuts[operand][place + 1].extents.data();
      const double bits = mean.tile(operand, place, extents) * static_cast<double>(mean.bits(operand, place, extents));
      const auto tops = static_cast<double>(mapping ? top(*mapping, cuts[operand], place, problem.alone[operand], true)
                                                    : best_tops(problem, blocks, cuts[operand], operand, place).alone);
      const int level = mean.paths()[operand][place];
      alone[operand].push_back(std::floor(bits / tops) / problem.levels[level].capacity_bits);
      shared[level] += alone[operand].back();
    }
  }
  Flags result;
  for (int operand : {kOutputs, kWeights, kInputs}) {
    for (int place = 0; place < mean.places(operand); ++place) {
      double& all = shared[mean.paths()[operand][place]];
      bool free = all <= 0.5;
      if (!free && alone[operand][place] <= 1 - all) {
        free = true;
        if (mapping) all += alone[operand][place];
      }
      result[operand].push_back(free);
    }
  }
  return result;
}

// Of `length` cycles, those in the first `allowed` of any (period, allowed); each period divides the next.
std::int64_t open_cycles(std::int64_t length, const std::vector<std::pair<std::int64_t, std::int64_t>>& spans, std::size_t count) {
  if (count == 0) return 0;
  const auto [period, allowed] = spans[count - 1];
  const auto first = [&, period = period, allowed = allowed](std::int64_t cycles) {
    if (cycles <= allowed) return cycles;
    return allowed + open_cycles(cycles, spans, count - 1) - open_cycles(allowed, spans, count - 1);
  };
  return (length / period) * first(period) + first(length % period);
}

std::int64_t union_of(const std::vector<Duty*>& group) {
  std::map<std::int64_t, std::int64_t> most;
  std::int64_t longest = 0, times = 0;
  for (const Duty* duty : group) {
    if (duty->moved.period == duty->allowed) return duty->moved.period * duty->moved.times;
    auto& allowed = most[duty->moved.period];
    allowed = std::max(allowed, duty->allowed);
    if (duty->moved.period > longest) longest = duty->moved.period, times = duty->moved.times;
  }
  const std::vector<std::pair<std::int64_t, std::int64_t>> spans(most.begin(), most.end());
  return open_cycles(longest, spans, spans.size()) * times;
}

std::int64_t combined(const std::vector<Duty*>& group) {
  if (group.size() == 1) return group[0]->stall();
  std::int64_t late = 0, early = 0, windows = 0;
  for (const Duty* duty : group) {
    (duty->stall() > 0 ? late : early) += duty->stall();
    windows += duty->allowed * (duty->moved.times - 1);
  }
  return late + std::max<std::int64_t>(0, early + windows - union_of(group));
}

// What is left of flows that happen once, after the port's idle cycles have taken their part.
void hide(const Unrolled& whole, const Cuts& cuts, std::vector<Duty*>& once, double rate, double wanted, double computing) {
  double spare = std::max(0.0, (rate - wanted) / rate * computing);
  std::stable_sort(once.begin(), once.end(), [](const Duty* a, const Duty* b) { return a->real > b->real; });
  for (Duty* duty : once) {
    duty->left = static_cast<double>(duty->real);
    if (spare <= 0) continue;
    const std::int64_t* extents = cuts[duty->operand][1].extents.data();
    const double first = std::ceil(whole.tile(duty->operand, 0, extents) * static_cast<double>(whole.bits(duty->operand, 0, extents)) / rate);
    const double taken = std::min(std::max(0.0, static_cast<double>(duty->real) - first), spare);
    duty->left -= taken;
    spare -= taken;
  }
}

void finish(const Unrolled& whole, const Cuts& cuts, std::vector<Duty*> group, double computing) {
  const NestProblem& problem = whole.problem();
  const double rate = problem.ports[group[0]->port];
  double wanted = 0;
  std::vector<Duty*> once;
  for (Duty* duty : group) {
    duty->left = static_cast<double>(duty->real);
    if (duty->turns_back()) continue;
    if (duty->moved.times == 1) {
      once.push_back(duty);
      continue;
    }
    // A whole number of bits a cycle; the array itself (place -1) keeps sums of its level's width.
    const auto width = static_cast<double>(duty->moved.bits);
    wanted += std::floor(duty->moved.elements * width / static_cast<double>(duty->moved.period));
  }
  hide(whole, cuts, once, rate, wanted, computing);
}

// Every flow through every port that limits, with the window in which it may move.
class Windows {
 public:
  // `mapping` null: each window as wide as any order of the loops of `blocks` makes it.
  Windows(const Unrolled& mean, const Unrolled& whole, const NestMapping* mapping, const Blocks& blocks, const Cuts& cuts)
      : problem_(mean.problem()), whole_(whole), cuts_(cuts), groups_(problem_.ports.size()) {
    const Flags free = double_buffered(mean, mapping, blocks, cuts);
    for (int operand = 0; operand < kOperands; ++operand) {
      for (int place = -1; place < whole.places(operand) - 1; ++place) {
        const Crossing found = whole.crossing(operand, place, cuts[operand][place + 1].extents.data());
        for (int i = 0; i < found.count; ++i) {
          const Movement& moved = found.moved[i];
          const std::int32_t port = problem_.levels[moved.level].port[operand * kFlows + moved.flow];
          if (port < 0) continue;
          std::int64_t window = moved.period;
          if (place < 0 || !free[operand][place])
            window /= mapping ? top(*mapping, cuts[operand], place, problem_.uses[operand], false)
                              : best_tops(problem_, blocks, cuts[operand], operand, place).irrelevant;
          const double bits = moved.elements * static_cast<double>(moved.bits);
          const int at = moved.flow == kFeed || moved.flow == kUpdate ? place + 1 : place;
          duties_.push_back({operand, at, moved.level, port, moved, static_cast<std::int64_t>(std::ceil(bits / problem_.ports[port])), window});
        }
      }
    }
    for (Duty& duty : duties_) groups_[duty.port].push_back(&duty);
  }

  double stall() const {
    double worst = 0;
    for (const auto& group : groups_)
      if (!group.empty()) worst = std::max(worst, static_cast<double>(combined(group)));
    return worst;
  }

  // Loading and unloading beside so many cycles of computing.
  void ends(double computing, double* loading, double* unloading) {
    for (const auto& group : groups_)
      if (!group.empty()) finish(whole_, cuts_, group, computing);
    *loading = load();
    *unloading = 0;
    for (int place = 0; place < whole_.places(kOutputs) - 1; ++place) {
      bool unused = false;
      *unloading += std::max(left(kOutputs, place, kDrain, &unused), left(kOutputs, place + 1, kUpdate, &unused));
    }
  }

 private:
  double left(int operand, int place, Flow flow, bool* both) const {
    *both = false;
    for (const Duty& duty : duties_) {
      if (duty.operand != operand || duty.place != place || duty.moved.flow != flow) continue;
      *both = (problem_.port_inputs[kInputs] >> duty.port & 1) && (problem_.port_inputs[kWeights] >> duty.port & 1);
      return duty.left;
    }
    return 0.0;
  }

  // The inputs beside the weights, but for links that they share at both ends.
  double load() const {
    double own[2] = {0, 0}, half[2] = {0, 0}, shared[2] = {0, 0};
    for (int operand = 0; operand < 2; ++operand) {
      for (int place = 0; place < whole_.places(operand) - 1; ++place) {
        bool here = false, there = false;
        const double filled = left(operand, place, kFill, &here);
        const double fed = left(operand, place + 1, kFeed, &there);
        const double longest = std::max(filled, fed);
        if (here && there) shared[operand] += longest;
        else if (here || there) half[operand] = longest;
        else own[operand] += longest;
      }
    }
    const auto way = [&](int a, int b) {
      return shared[a] + std::max(shared[b] + half[b] + own[b], half[a] + own[a]);
    };
    return std::min(way(0, 1), way(1, 0));
  }

  const NestProblem& problem_;
  const Unrolled& whole_;
  const Cuts& cuts_;
  std::vector<Duty> duties_;
  std::vector<std::vector<Duty*>> groups_;
};

}  // namespace

void windowed_cycles(const Unrolled& mean, const Unrolled& whole, const NestMapping& mapping, NestCost* cost) {
  const Cuts cuts = cuts_of(mean, mapping);
  Windows windows(mean, whole, &mapping, {}, cuts);
  cost->computing = static_cast<double>(mean.cycles()) + windows.stall();
  windows.ends(cost->computing, &cost->loading, &cost->unloading);
}

double least_windowed_cycles(const Unrolled& mean, const Unrolled& whole, const Blocks& blocks, const Cuts& cuts, double limit) {
  constexpr int kPieces = 64;
  Windows windows(mean, whole, nullptr, blocks, cuts);
  const double first = static_cast<double>(mean.cycles()) + windows.stall();
  if (first >= limit) return first;
  // More computing hides more of what happens once: of every piece of it the shortest, with the most that it hides.
  double least = limit, loading = 0, unloading = 0;
  windows.ends(limit, &loading, &unloading);
  if (first + loading + unloading >= limit) return limit;
  for (int piece = 0; piece < kPieces; ++piece) {
    const double begin = first + (limit - first) * piece / kPieces, end = first + (limit - first) * (piece + 1) / kPieces;
    windows.ends(end, &loading, &unloading);
    least = std::min(least, begin + loading + unloading);
  }
  return least;
}

}  // namespace netwright::plan
