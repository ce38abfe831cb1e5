// Search: chains of tiles, one for each level of each operand, each a part of the next.
//
// What crosses a level depends only on the tile at its cut: its elements and how often it is replaced. So the
// traffic of a mapping is a sum over cuts, and the least sum over all chains that begin at a tile is found by
// dynamic programming over the grid of tiles (`togo_`); only memories that operands share couple the cuts.
// A depth-first search over chains is pruned by that bound. Cutting lower than the operand's stationary loops
// allow is never better, and cutting there is another chain of the same space.
#include "plan/mapping.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "plan/lattice.hpp"

namespace netwright::plan {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kTrafficShare = 0.05;   // of a flow's cycles, in the guess: flows in time disturb each other
constexpr double kCyclesPerJoule = 1e6;  // in the guess: among equals the frugal one first
constexpr double kEqual = 1e-12;  // relative: sums in another order

// What a chain is judged by: joules; cycles of every port that limits; and, where windows stall, a bound on what
// comes before and after the steps (`ends_`) and a guess of all cycles (`guess_`).
enum Measure : std::size_t { kEnergy = 0, kFirst = 1 };

struct Node {
  int operand, place;
};

class Chains {
 public:
  Chains(const NestProblem& problem, const Spatial& spatial, const Paths& paths)
      : problem_(problem), spatial_(spatial), mean_(problem, spatial, paths, false),
        whole_(problem, spatial, paths, true), lattice_(mean_.turns()) {
    for (int operand = 0; operand < kOperands; ++operand) {
      nodes_[operand].clear();
      if (mean_.holds(operand)) nodes_[operand].push_back({operand, -1});
      for (int place = 0; place < mean_.places(operand) - 1; ++place) nodes_[operand].push_back({operand, place});
    }
    ends_ = 1 + problem.ports.size();
    measures_ = ends_ + (problem.windows ? 2 : 0);
    price();
    bound();
  }

  const Lattice& lattice() const { return lattice_; }
  const Unrolled& mean() const { return mean_; }
  std::size_t measures() const { return measures_; }
  std::size_t ends() const { return ends_; }
  std::size_t guess() const { return ends_ + 1; }
  std::size_t states() const { return states_; }
  double fixed(std::size_t measure) const { return fixed_[measure]; }
  const std::vector<Node>& nodes(int operand) const { return nodes_[operand]; }

  std::size_t step(int operand) const { return step_[operand]; }
  std::size_t used(std::size_t state, int operand) const { return state / step_[operand] % (nodes_[operand].size() + 1); }

  double cost(std::size_t measure, int operand, std::size_t which, std::size_t point) const {
    return cost_[measure][operand][which][point];
  }
  // The least still to come; 0 where it is not looked for.
  double togo(std::size_t measure, std::size_t state, std::size_t point) const {
    return togo_[measure].empty() ? 0.0 : togo_[measure][state * lattice_.size() + point];
  }
  double bits(int operand, std::size_t which, std::size_t point) const { return bits_[operand][which][point]; }
  int level(int operand, std::size_t which) const {
    const int place = nodes_[operand][which].place;
    return place < 0 ? -1 : mean_.paths()[operand][static_cast<std::size_t>(place)];
  }

  // The least that any chain of these has, by energy and by cycles.
  double least(std::size_t measure) const { return fixed_[measure] + togo(measure, 0, 0); }
  double least_cycles() const {
    double worst = static_cast<double>(mean_.cycles()) + (problem_.windows ? least(ends_) : 0.0);
    double waits = 0;
    for (std::size_t port = 0; port < problem_.ports.size(); ++port)
      if (problem_.hidden[port]) worst = std::max(worst, least(kFirst + port));
      else waits += least(kFirst + port);
    return worst + waits;
  }

  // The loops of a chain; in every block those that `outer` indexes lie inside or outside.
  NestMapping mapping(const std::vector<std::pair<Node, std::size_t>>& chain, int order) const;

  std::vector<double> smallest() const;

 private:
  bool outermost(std::int32_t port) const {
    const auto& ports = problem_.levels.back().port;
    return std::find(ports.begin(), ports.end(), port) != ports.end();
  }
  void price();
  void bound();
  void add(Node node, const Crossing& found, double* ends, double* guess) const;

  const NestProblem& problem_;
  Spatial spatial_;
  Unrolled mean_, whole_;
  Lattice lattice_;
  std::size_t measures_ = 0, ends_ = 0, states_ = 1;
  std::array<std::vector<Node>, kOperands> nodes_;
  std::array<std::size_t, kOperands> step_{};
  std::vector<double> fixed_;
  std::vector<std::array<std::vector<std::vector<double>>, kOperands>> cost_;  // measure, operand, node, point
  std::array<std::vector<std::vector<double>>, kOperands> bits_;
  std::vector<std::vector<double>> togo_;
};

// The bound: loading of the outermost links (the greater of two is no less than half their sum), all unloading,
// and what the outermost port cannot move while it may. The guess counts every link and every late flow.
void Chains::add(Node node, const Crossing& found, double* ends, double* guess) const {
  const std::vector<std::int64_t> ones(problem_.sizes.size(), 1);
  const int outermost = static_cast<int>(problem_.levels.size()) - 1;
  double bound = 0, link = 0;
  for (int i = 0; i < found.count; ++i) {
    const Movement& moved = found.moved[i];
    const std::int32_t port = problem_.levels[moved.level].port[node.operand * kFlows + moved.flow];
    if (port < 0) continue;
    const double rate = problem_.ports[port];
    const double real = std::ceil(moved.elements * static_cast<double>(moved.bits) / rate);
    const auto again = static_cast<double>(moved.times - 1);
    const double late = std::max(0.0, real - static_cast<double>(moved.period)) * again;
    *guess += late + kTrafficShare * real * again;
    if (moved.level == outermost) *ends += late;
    if (node.operand == kOutputs && (moved.flow == kFeed || moved.flow == kFill)) continue;
    link = std::max(link, real);
    // What happens once may be hidden, but for what the innermost memory needs to begin with.
    const double first = moved.times > 1 ? real : std::ceil(whole_.tile(node.operand, 0, ones.data()) / rate);
    bound = std::max(bound, std::min(real, first));
  }
  if (node.place < 0) return;
  *guess += link;
  if (node.operand == kOutputs) *ends += bound;
  else if (node.place == mean_.places(node.operand) - 2) *ends += 0.5 * bound;
}

void Chains::price() {
  fixed_.assign(measures_, 0.0);
  cost_.resize(measures_);
  const std::size_t points = lattice_.size();
  for (int operand = 0; operand < kOperands; ++operand) {
    const std::size_t count = nodes_[operand].size();
    bits_[operand].assign(count, std::vector<double>(points, 0.0));
    for (std::size_t measure = 0; measure < measures_; ++measure)
      cost_[measure][operand].assign(count, std::vector<double>(points, kNever));
  }
  const auto judge = [&](Node node, const std::int64_t* extents, double* into) {
    const Crossing mean = mean_.crossing(node.operand, node.place, extents);
    for (int i = 0; i < mean.count; ++i) {
      const Movement& moved = mean.moved[i];
      into[kEnergy] += mean_.joules(node.operand, moved);
      const NestLevel& level = problem_.levels[moved.level];
      const std::int32_t port = level.port[node.operand * kFlows + moved.flow];
      if (port >= 0)
        into[kFirst + static_cast<std::size_t>(port)] += mean_.words(node.operand, moved) * static_cast<double>(level.word_bits) /
                                                         problem_.ports[port] / static_cast<double>(moved.instances);
    }
    if (!problem_.windows) return;
    const Crossing whole = whole_.crossing(node.operand, node.place, extents);
    add(node, whole, &into[ends_], &into[guess()]);
    into[guess()] += kCyclesPerJoule * into[kEnergy];
  };
  std::vector<double> values(measures_);
  const std::vector<std::int64_t> ones(problem_.sizes.size(), 1);
  for (int operand = 0; operand < kOperands; ++operand) {
    if (nodes_[operand].empty() || nodes_[operand][0].place >= 0) {
      std::fill(values.begin(), values.end(), 0.0);
      judge({operand, -1}, ones.data(), values.data());
      for (std::size_t measure = 0; measure < measures_; ++measure) fixed_[measure] += values[measure];
    }
    for (std::size_t which = 0; which < nodes_[operand].size(); ++which) {
      const Node node = nodes_[operand][which];
      for (std::size_t point = 0; point < points; ++point) {
        const std::int64_t* extents = lattice_.extents(point);
        if (node.place < 0) {
          bool still = true;
          for (std::size_t loop = 0; loop < problem_.sizes.size(); ++loop)
            still = still && (extents[loop] == 1 || !(problem_.uses[operand] >> loop & 1));
          if (!still) continue;
        } else {
          const double held = mean_.tile(operand, node.place, extents) * static_cast<double>(mean_.bits(operand, node.place, extents));
          bits_[operand][which][point] = held;
          const int at = mean_.paths()[operand][static_cast<std::size_t>(node.place)];
          if (held > problem_.levels[at].capacity_bits) continue;
        }
        std::fill(values.begin(), values.end(), 0.0);
        judge(node, extents, values.data());
        for (std::size_t measure = 0; measure < measures_; ++measure) cost_[measure][operand][which][point] = values[measure];
      }
    }
  }
}

void Chains::bound() {
  for (int operand = 0; operand < kOperands; ++operand) {
    step_[operand] = states_;
    states_ *= nodes_[operand].size() + 1;
  }
  const std::size_t points = lattice_.size();
  togo_.assign(measures_, {});
  for (std::size_t measure = 0; measure < measures_; ++measure) {
    // Where windows stall, of the ports only the outermost ones bound anything.
    if (problem_.windows && measure >= kFirst && measure < ends_ && !outermost(static_cast<std::int32_t>(measure - kFirst))) continue;
    std::vector<double>& togo = togo_[measure];
    togo.assign(states_ * points, kNever);
    std::fill(togo.end() - static_cast<std::ptrdiff_t>(points), togo.end(), 0.0);
    for (std::size_t state = states_ - 1; state-- > 0;) {
      double* here = &togo[state * points];
      for (int operand = 0; operand < kOperands; ++operand) {
        const std::size_t which = used(state, operand);
        if (which == nodes_[operand].size()) continue;
        const double* next = &togo[(state + step_[operand]) * points];
        const double* price = cost_[measure][operand][which].data();
        for (std::size_t point = 0; point < points; ++point) here[point] = std::min(here[point], price[point] + next[point]);
      }
      lattice_.least_beyond(here);
    }
  }
}

NestMapping Chains::mapping(const std::vector<std::pair<Node, std::size_t>>& chain, int order) const {
  NestMapping made;
  made.spatial = spatial_;
  made.paths = mean_.paths();
  std::vector<std::int64_t> below(problem_.sizes.size(), 1);
  const auto block = [&](const std::int64_t* extents, std::uint64_t uses) {
    std::vector<std::int32_t> loops(below.size());
    std::iota(loops.begin(), loops.end(), 0);
    // Which of the loops turn outermost: those of the tile that is being filled, or the others.
    std::stable_sort(loops.begin(), loops.end(), [&](std::int32_t a, std::int32_t b) {
      const bool first = uses >> a & 1, second = uses >> b & 1;
      return order == 1 ? first > second : order == 0 ? first < second : false;
    });
    for (std::int32_t loop : loops) {
      if (extents[loop] == below[loop]) continue;
      made.temporal.push_back({loop, extents[loop] / below[loop]});
      below[loop] = extents[loop];
    }
  };
  for (const auto& [node, point] : chain) {
    block(lattice_.extents(point), problem_.uses[node.operand]);
    if (node.place >= 0) made.cuts[node.operand].push_back(static_cast<std::int32_t>(made.temporal.size()));
  }
  block(mean_.turns().data(), problem_.uses[kOutputs]);
  return made;
}

std::vector<double> Chains::smallest() const {
  std::vector<double> least(problem_.levels.size(), 0.0);
  const std::vector<std::int64_t> ones(problem_.sizes.size(), 1);
  for (int operand = 0; operand < kOperands; ++operand)
    for (int place = 0; place < mean_.places(operand); ++place) {
      const bool last = place == mean_.places(operand) - 1;
      const std::int64_t* extents = last ? mean_.turns().data() : ones.data();
      least[mean_.paths()[operand][static_cast<std::size_t>(place)]] +=
          mean_.tile(operand, place, extents) * static_cast<double>(mean_.bits(operand, place, extents));
    }
  return least;
}

// Depth first over the chains of one unrolling, the most promising tile first.
class Descent {
 public:
  Descent(const NestProblem& problem, const MappingOptions& options, const Chains& chains, FoundMapping* best)
      : problem_(problem), options_(options), chains_(chains), best_(best), used_(problem.levels.size(), 0.0),
        spent_(chains.measures(), 0.0) {
    for (std::size_t measure = 0; measure < chains.measures(); ++measure) spent_[measure] = chains.fixed(measure);
    cycles_goal_ = options.goal == MappingGoal::kCycles;
    guide_ = kEnergy;
    if (cycles_goal_) {  // the busiest port leads where one is busier than the array
      double worst = static_cast<double>(chains.mean().cycles());
      for (std::size_t measure = kFirst; measure < chains.ends(); ++measure)
        if (chains.least(measure) > worst) worst = chains.least(measure), guide_ = measure;
    }
  }

  // Whether all chains were seen or shown to be no better.
  // `left`: points that may still be looked at, in all options together.
  bool run(std::int64_t* left) {
    budget_ = left;
    if (!problem_.windows || !cycles_goal_) return descend_by(guide_, std::numeric_limits<std::int64_t>::max());
    sampling_ = true;
    for (std::size_t guide : {chains_.guess(), guide_, std::size_t{kEnergy}}) descend_by(guide, kLeaves);
    return false;
  }

 private:
  static constexpr std::size_t kWidth = 24;        // tiles looked at from a tile, likewise
  static constexpr std::int64_t kLeaves = 24;  // chains whose cycles are counted in full, where no bound is exact

  bool descend_by(std::size_t guide, std::int64_t leaves) {
    guide_ = guide;
    // However little is left: enough to go down once or twice.
    const auto points = static_cast<std::int64_t>(chains_.lattice().size());
    left_ = std::max(*budget_, 4 * points * static_cast<std::int64_t>(chains_.states()));
    const std::int64_t before = left_;
    leaves_ = leaves;
    descend(0, 0);
    *budget_ -= before - left_;
    return left_ > 0 && leaves_ > 0;
  }

  double cycles_beyond(std::size_t state, std::size_t point) const {
    double worst = static_cast<double>(chains_.mean().cycles());
    if (problem_.windows) worst += spent_[chains_.ends()] + chains_.togo(chains_.ends(), state, point);
    double waits = 0;
    for (std::size_t measure = kFirst; measure < chains_.ends(); ++measure) {
      const double least = spent_[measure] + chains_.togo(measure, state, point);
      if (problem_.hidden[measure - kFirst]) worst = std::max(worst, least);
      else waits += least;
    }
    return worst + waits;
  }

  // Whether nothing from here on can be better than what is known.
  bool hopeless(std::size_t state, std::size_t point) const {
    if (!best_->found) return chains_.togo(kEnergy, state, point) == kNever;
    const double joules = spent_[kEnergy] + chains_.togo(kEnergy, state, point);
    const bool frugal = joules < best_->cost.joules * (1 - kEqual);
    const double cycles = cycles_beyond(state, point);
    if (!cycles_goal_) return !frugal;
    const double known = best_->cost.cycles();
    return cycles > known * (1 + kEqual) || (cycles >= known * (1 - kEqual) && !frugal);
  }

  void leaf() {
    --leaves_;
    for (int order = 0; order < (problem_.windows ? 3 : 1); ++order) {
      NestMapping made = chains_.mapping(chain_, order);
      const NestCost cost = nest_cost(problem_, made);
      std::vector<double> held;
      if (better(cost) && fits(chains_.mean(), made, &held)) {
        best_->found = true;
        best_->mapping = std::move(made);
        best_->cost = cost;
      }
    }
  }

  bool better(const NestCost& cost) const {
    if (!best_->found) return true;
    const double first = cycles_goal_ ? cost.cycles() : cost.joules;
    const double known = cycles_goal_ ? best_->cost.cycles() : best_->cost.joules;
    if (first != known && std::abs(first - known) > kEqual * known) return first < known;
    const double second = cycles_goal_ ? cost.joules : cost.cycles();
    const double other = cycles_goal_ ? best_->cost.joules : best_->cost.cycles();
    return second < other * (1 - kEqual);
  }

  // Whether the memories have room, now and for what must still come to them.
  bool room(std::size_t state, std::size_t point) const {
    std::array<double, 32> wanted{};
    for (int operand = 0; operand < kOperands; ++operand)
      for (std::size_t which = chains_.used(state, operand); which < chains_.nodes(operand).size(); ++which) {
        const int level = chains_.level(operand, which);
        if (level >= 0) wanted[static_cast<std::size_t>(level)] += chains_.bits(operand, which, point);
      }
    for (std::size_t level = 0; level < used_.size(); ++level)
      if (used_[level] + wanted[level] > problem_.levels[level].capacity_bits * (1 + kEqual)) return false;
    return true;
  }

  void descend(std::size_t state, std::size_t from) {
    if (left_ <= 0 || leaves_ <= 0) return;
    if (state + 1 == chains_.states()) {
      leaf();
      return;
    }
    struct Choice {
      double value;
      int operand;
      std::size_t point;
    };
    std::vector<Choice> choices;
    left_ -= static_cast<std::int64_t>(chains_.lattice().size());
    for (int operand = 0; operand < kOperands; ++operand) {
      const std::size_t which = chains_.used(state, operand);
      if (which == chains_.nodes(operand).size()) continue;
      const std::size_t next = state + chains_.step(operand);
      for (std::size_t point = 0; point < chains_.lattice().size(); ++point) {
        const double price = chains_.cost(kEnergy, operand, which, point);
        if (price == kNever || chains_.togo(kEnergy, next, point) == kNever || !chains_.lattice().within(from, point)) continue;
        const double value = spent_[guide_] + chains_.cost(guide_, operand, which, point) + chains_.togo(guide_, next, point);
        choices.push_back({value, operand, point});
      }
    }
    const auto before_other = [](const Choice& a, const Choice& b) {
      return std::tie(a.value, a.operand, a.point) < std::tie(b.value, b.operand, b.point);
    };
    const std::size_t wanted = sampling_ ? std::min(choices.size(), kWidth) : choices.size();
    std::partial_sort(choices.begin(), choices.begin() + static_cast<std::ptrdiff_t>(wanted), choices.end(), before_other);
    choices.resize(wanted);
    const std::vector<double> before = spent_;
    for (const Choice& choice : choices) {
      if (left_ <= 0 || leaves_ <= 0) return;
      ++best_->visits;
      const std::size_t which = chains_.used(state, choice.operand);
      const std::size_t next = state + chains_.step(choice.operand);
      for (std::size_t measure = 0; measure < spent_.size(); ++measure)
        spent_[measure] = before[measure] + chains_.cost(measure, choice.operand, which, choice.point);
      const int level = chains_.level(choice.operand, which);
      const double bits = chains_.bits(choice.operand, which, choice.point);
      if (level >= 0) used_[static_cast<std::size_t>(level)] += bits;
      const bool stop = guide_ == kEnergy && !cycles_goal_ && hopeless(next, choice.point);
      if (!hopeless(next, choice.point) && room(next, choice.point)) {
        chain_.push_back({chains_.nodes(choice.operand)[which], choice.point});
        descend(next, choice.point);
        chain_.pop_back();
      }
      if (level >= 0) used_[static_cast<std::size_t>(level)] -= bits;
      spent_ = before;
      if (stop) return;  // the others are no better
    }
  }

  const NestProblem& problem_;
  const MappingOptions& options_;
  const Chains& chains_;
  FoundMapping* best_;
  std::vector<double> used_, spent_;
  std::vector<std::pair<Node, std::size_t>> chain_;
  std::int64_t left_ = 0, leaves_ = 0;
  std::int64_t* budget_ = nullptr;
  bool cycles_goal_ = false, sampling_ = false;
  std::size_t guide_ = kEnergy;
};

}  // namespace

FoundMapping find_mapping(const NestProblem& problem, const MappingOptions& options) {
  FoundMapping best;
  best.bound = kNever;
  bool complete = true;
  std::int64_t left = options.visits;
  const bool cycles_goal = options.goal == MappingGoal::kCycles;
  for (const Spatial& spatial : options.spatial) {
    for (const Paths& paths : options.paths) {
      if (cycles_goal && best.found) {
        // Every option is visited or shown to be slower by its steps alone.
        const auto steps = static_cast<double>(Unrolled(problem, spatial, paths, false).cycles());
        if (steps > best.cost.cycles()) {
          best.bound = std::min(best.bound, steps);
          continue;
        }
      }
      const Chains chains(problem, spatial, paths);
      const double least = cycles_goal ? chains.least_cycles() : chains.least(kEnergy);
      best.bound = std::min(best.bound, least);
      if (chains.least(kEnergy) == kNever) {
        const std::vector<double> smallest = chains.smallest();
        double now = 0, known = 0;
        for (double bits : smallest) now += bits;
        for (double bits : best.smallest) known += bits;
        if (best.smallest.empty() || now < known) best.smallest = smallest;
        continue;
      }
      complete = Descent(problem, options, chains, &best).run(&left) && complete;
    }
  }
  if (!best.found) return best;
  const double value = cycles_goal ? best.cost.cycles() : best.cost.joules;
  best.bound = std::min(best.bound, value);
  const bool exact = !cycles_goal || !problem.windows;
  best.proved = (complete && exact) || (cycles_goal ? best.bound >= value * (1 - kEqual) : best.bound >= value * (1 - kEqual));
  if (best.proved) best.bound = value;
  return best;
}

}  // namespace netwright::plan
