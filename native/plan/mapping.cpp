// Search: every way of unrolling, every choice of levels; of each, chains of tiles (plan/chains.hpp) depth first.
//
// Cutting lower than the operand's stationary loops allow is never better, and cutting there is another chain of the
// same space. Where windows stall, cycles depend on the order of loops between cuts too: what every order has at least
// bounds a chain, and of a chain that could be better three orders are priced.
#include "plan/mapping.hpp"

#include <algorithm>
#include <cmath>

#include "plan/chains.hpp"
#include "plan/descent.hpp"

namespace netwright::plan {
namespace {

constexpr std::size_t kWidth = 24;            // tiles looked at from a tile, in a dive
constexpr std::int64_t kLeaves = 24;          // chains priced in full, likewise
constexpr std::int64_t kDiveTries = 1 << 16;  // cuts tried, likewise
constexpr std::int64_t kLeastTries = 1 << 15;  // however many options share the visits

struct Option {
  const Spatial* spatial;
  const Paths* paths;
  double steps, bound;  // `bound`: of the goal; kNever: proved to be no better than what is known
};

class Search {
 public:
  Search(const NestProblem& problem, const MappingOptions& options)
      : problem_(problem), cycles_goal_(options.goal == MappingGoal::kCycles), windows_(problem.windows && cycles_goal_), left_(options.visits) {
    for (const Spatial& spatial : options.spatial)
      for (const Paths& paths : options.paths) {
        const auto steps = static_cast<double>(Unrolled(problem, spatial, paths, false).cycles());
        options_.push_back({&spatial, &paths, steps, 0.0});
      }
  }

  FoundMapping run() {
    const auto count = static_cast<std::int64_t>(options_.size());
    for (Option& option : options_) look(&option, std::max(kLeastTries, left_ / std::max<std::int64_t>(1, 4 * count)));
    // What is open, the lowest bound first: it is the bound of the whole.
    std::vector<Option*> open;
    for (Option& option : options_)
      if (option.bound < value() * (1 - kEqual)) open.push_back(&option);
    std::stable_sort(open.begin(), open.end(), [](const Option* a, const Option* b) { return a->bound < b->bound; });
    for (std::size_t i = 0; i < open.size() && left_ > 0; ++i)
      if (open[i]->bound < value() * (1 - kEqual)) look(open[i], left_ / static_cast<std::int64_t>(open.size() - i));
    if (best_.found && windows_) save_joules();
    return finish();
  }

 private:
  double value() const { return !best_.found ? kNever : cycles_goal_ ? best_.cost.cycles() : best_.cost.joules; }

  void look(Option* option, std::int64_t tries) {
    if (cycles_goal_ && best_.found && option->steps > best_.cost.cycles()) {
      option->bound = kNever;  // slower by its steps alone
      return;
    }
    if (left_ <= 0 && best_.found) {
      option->bound = cycles_goal_ ? option->steps : 0.0;
      return;
    }
    Chains chains(problem_, *option->spatial, *option->paths, windows_);
    left_ -= chains.tries();
    std::array<double, kMostMeasures> values;
    chains.least(values.data());
    if (values[0] == kNever) {
      note_smallest(chains);
      option->bound = kNever;
      return;
    }
    const double least = cycles_goal_ ? chains.cycles(values.data()) : values[0];
    const Aim aim = !cycles_goal_ ? Aim::kJoules : windows_ ? Aim::kCycles : Aim::kCyclesThenJoules;
    Descent descent(problem_, chains, aim, &best_);
    double bound = least;
    if (!beaten(least, values[0])) {
      if (windows_) descent.dive(chains.measures().size() - 1, kWidth, kLeaves, kDiveTries);
      bound = prove(&chains, &descent, least, tries);
    } else {
      bound = kNever;
    }
    left_ -= descent.tried();
    if (!chains.lattice().coarse()) {
      option->bound = bound;
    } else {
      option->bound = cycles_goal_ ? option->steps : 0.0;
      coarse_ = true;
    }
  }

  // What the chains of an option have at least; kNever: no less than what is known.
  double prove(Chains* chains, Descent* descent, double least, std::int64_t tries) {
    if (windows_ && beaten(least, 0.0)) return kNever;
    const std::int64_t few = std::min<std::int64_t>(tries, kDiveTries);
    if (!windows_ && descent->prove(few)) return kNever;
    if (best_.found) left_ -= chains->tries();
    if (best_.found) chains->filter(cycles_goal_ ? best_.cost.cycles() : kNever, windows_ ? 0.0 : best_.cost.joules);
    const bool complete = descent->prove(tries);
    const double open = descent->open();
    if (complete && open >= value() * (1 - kEqual)) return kNever;
    return std::max(least, open);
  }

  // Whether nothing with at least these is better than what is known.
  bool beaten(double first, double joules) const {
    if (!best_.found) return false;
    if (!cycles_goal_ || windows_) return first >= value() * (1 - kEqual);
    return first > value() * (1 + kEqual) || (first >= value() * (1 - kEqual) && joules >= best_.cost.joules * (1 - kEqual));
  }

  // Fewer joules in as many cycles, where the order of loops leaves no proof: a dive into every option that can.
  void save_joules() {
    for (const Option& option : options_) {
      if (option.steps > best_.cost.cycles()) continue;
      if (left_ <= 0) return;
      const Chains chains(problem_, *option.spatial, *option.paths, true);
      left_ -= chains.tries();
      std::array<double, kMostMeasures> values;
      chains.least(values.data());
      if (values[0] == kNever || chains.cycles(values.data()) > best_.cost.cycles() * (1 + kEqual)) continue;
      Descent descent(problem_, chains, Aim::kJoulesAtCycles, &best_);
      descent.dive(0, kWidth, kLeaves, kDiveTries);
      left_ -= descent.tried();
    }
  }

  void note_smallest(const Chains& chains) {
    const std::vector<double> smallest = chains.smallest();
    double now = 0, known = 0;
    for (double bits : smallest) now += bits;
    for (double bits : best_.smallest) known += bits;
    if (best_.smallest.empty() || now < known) best_.smallest = smallest;
  }

  FoundMapping finish() {
    if (!best_.found) return best_;
    best_.bound = value();
    for (const Option& option : options_) best_.bound = std::min(best_.bound, option.bound);
    best_.proved = best_.bound >= value() * (1 - kEqual) && (!coarse_ || cycles_goal_);
    if (best_.proved) best_.bound = value();
    return best_;
  }

  const NestProblem& problem_;
  const bool cycles_goal_, windows_;
  std::int64_t left_;
  bool coarse_ = false;
  std::vector<Option> options_;
  FoundMapping best_;
};

}  // namespace

FoundMapping find_mapping(const NestProblem& problem, const MappingOptions& options) { return Search(problem, options).run(); }

}  // namespace netwright::plan
