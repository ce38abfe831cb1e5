#include "plan/descent.hpp"

#include <algorithm>
#include <tuple>

namespace netwright::plan {
namespace {

// What a chain takes that is priced in full, and how many tiles are passed over in the time of one that is tried.
constexpr std::int64_t kLeafTries = 400;
constexpr std::size_t kScanned = 8;

}  // namespace

Descent::Descent(const NestProblem& problem, const Chains& chains, Aim aim, FoundMapping* best)
    : problem_(problem), chains_(chains), aim_(aim), best_(best), used_(problem.levels.size(), 0.0), spent_(chains.measures().size(), 0.0) {
  for (std::size_t measure = 0; measure < spent_.size(); ++measure) spent_[measure] = chains.fixed(measure);
  std::size_t depth = 1;
  for (int operand = 0; operand < kOperands; ++operand) depth += chains.nodes(operand).size();
  choices_.resize(depth);
}

void Descent::dive(std::size_t measure, std::size_t width, std::int64_t leaves, std::int64_t tries) {
  diving_ = true;
  guide_ = measure, width_ = width, leaves_ = leaves, tries_ = tried_ + tries;
  descend(0, 0, -1);
}

bool Descent::prove(std::int64_t tries) {
  diving_ = false;
  leaves_ = std::numeric_limits<std::int64_t>::max(), tries_ = tried_ + tries;
  open_ = kNever;
  descend(0, 0, -1);
  return tried_ < tries_;
}

// Whether nothing that costs at least this much is better than what is known.
bool Descent::hopeless(double cycles, double joules) const {
  if (!best_->found) return joules == kNever;
  const double known = best_->cost.cycles();
  const bool frugal = joules < best_->cost.joules * (1 - kEqual);
  switch (aim_) {
    case Aim::kCycles: return cycles >= known * (1 - kEqual);
    case Aim::kCyclesThenJoules: return cycles > known * (1 + kEqual) || (cycles >= known * (1 - kEqual) && !frugal);
    case Aim::kJoulesAtCycles: return cycles > known * (1 + kEqual) || !frugal;
    case Aim::kJoules: return !frugal;
  }
  return true;
}

bool Descent::better(const NestCost& cost) const {
  if (!best_->found) return true;
  const bool joules = aim_ == Aim::kJoules;
  const double first = joules ? cost.joules : cost.cycles(), known = joules ? best_->cost.joules : best_->cost.cycles();
  if (first != known && std::abs(first - known) > kEqual * known) return first < known;
  const double second = joules ? cost.cycles() : cost.joules, other = joules ? best_->cost.cycles() : best_->cost.joules;
  return second < other * (1 - kEqual);
}

// Whether the memories have room, now and for what must still come to them.
bool Descent::room(std::size_t state, std::size_t point) const {
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

void Descent::leaf() {
  --leaves_;
  tried_ += problem_.windows ? kLeafTries * 6 : kLeafTries;
  double least = aim_ == Aim::kJoules || aim_ == Aim::kJoulesAtCycles ? spent_[0] : chains_.cycles(spent_.data());
  double reached = kNever;
  if (aim_ == Aim::kCycles && best_->found) {
    least = std::max(least, chains_.least_windowed(chain_, best_->cost.cycles()));
    if (hopeless(least, spent_[0])) return;
  }
  const bool orders = problem_.windows && aim_ != Aim::kJoules;
  for (int order = 0; order < (orders ? 6 : 1); ++order) {
    NestMapping made = chains_.mapping(chain_, order / 2, order % 2);
    const NestCost cost = nest_cost(problem_, made);
    std::vector<double> held;
    const bool fit = fits(chains_.mean(), made, &held);
    if (fit) reached = std::min(reached, goal(cost));
    if (!fit || !better(cost)) continue;
    best_->found = true;
    best_->mapping = std::move(made);
    best_->cost = cost;
  }
  if (reached > least * (1 + kEqual)) open_ = std::min(open_, least);
}

void Descent::choices(std::size_t state, std::size_t from, int last, std::vector<Choice>* found) {
  const bool cycles = aim_ == Aim::kCycles || aim_ == Aim::kCyclesThenJoules;
  const std::size_t count = chains_.measures().size();
  std::array<double, kMostMeasures> values;
  found->clear();
  for (int operand = 0; operand < kOperands; ++operand) {
    const std::size_t which = chains_.used(state, operand);
    if (which == chains_.nodes(operand).size()) continue;
    const std::size_t next = state + chains_.step(operand);
    tried_ += static_cast<std::int64_t>(chains_.alive(operand, which).size() / kScanned);
    for (std::uint32_t point : chains_.alive(operand, which)) {
      // Equal tiles in one order of the operands: the others are the same mappings.
      if (point < from || (point == from && operand < last) || !chains_.lattice().within(from, point)) continue;
      ++tried_;
      const double joules = spent_[0] + chains_.cost(0, operand, which, point) + chains_.togo(0, next, point);
      if (joules == kNever) continue;
      values[0] = joules;
      for (std::size_t measure = 1; measure < count; ++measure)
        values[measure] = spent_[measure] + chains_.cost(measure, operand, which, point) + chains_.togo(measure, next, point);
      const double bound = aim_ == Aim::kJoules ? 0.0 : chains_.cycles(values.data());
      if (hopeless(bound, joules)) continue;
      const double value = diving_ ? values[guide_] : cycles ? bound : joules;
      found->push_back({value, cycles ? bound : joules, operand, point});
    }
  }
  const auto before = [](const Choice& a, const Choice& b) {
    return std::tie(a.value, a.bound, a.operand, a.point) < std::tie(b.value, b.bound, b.operand, b.point);
  };
  const std::size_t wanted = diving_ ? std::min(found->size(), width_) : found->size();
  std::partial_sort(found->begin(), found->begin() + static_cast<std::ptrdiff_t>(wanted), found->end(), before);
  found->resize(wanted);
}

void Descent::descend(std::size_t state, std::size_t from, int last) {
  if (state + 1 == chains_.states()) {
    leaf();
    return;
  }
  std::vector<Choice>& found = choices_[chain_.size()];
  choices(state, from, last, &found);
  const std::vector<double> before = spent_;
  std::array<double, kMostMeasures> least;
  for (const Choice& choice : found) {
    if (tried_ >= tries_ || leaves_ <= 0) {
      if (!diving_) open_ = std::min(open_, choice.bound);
      continue;
    }
    const std::size_t which = chains_.used(state, choice.operand);
    const std::size_t next = state + chains_.step(choice.operand);
    for (std::size_t measure = 0; measure < spent_.size(); ++measure) {
      spent_[measure] = before[measure] + chains_.cost(measure, choice.operand, which, choice.point);
      least[measure] = spent_[measure] + chains_.togo(measure, next, choice.point);
    }
    const double cycles = aim_ == Aim::kJoules ? 0.0 : chains_.cycles(least.data());
    if (!hopeless(cycles, least[0])) {
      const int level = chains_.level(choice.operand, which);
      const double bits = chains_.bits(choice.operand, which, choice.point);
      if (level >= 0) used_[static_cast<std::size_t>(level)] += bits;
      if (room(next, choice.point)) {
        ++best_->visits;
        chain_.push_back({chains_.nodes(choice.operand)[which], choice.point});
        descend(next, choice.point, choice.operand);
        chain_.pop_back();
      }
      if (level >= 0) used_[static_cast<std::size_t>(level)] -= bits;
    }
    spent_ = before;
  }
}

}  // namespace netwright::plan
