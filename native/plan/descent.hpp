// Depth first over the chains of one way of unrolling, pruned by what every chain from a tile on must cost.
#pragma once

#include "plan/chains.hpp"
#include "plan/mapping.hpp"

namespace netwright::plan {

// What is looked for: fewer cycles; fewer cycles, or as many and fewer joules; fewer joules in no more cycles; fewer
// joules whatever the cycles.
enum class Aim : std::int32_t { kCycles, kCyclesThenJoules, kJoulesAtCycles, kJoules };

class Descent {
 public:
  // A mapping that is better goes into `best`; at most `tries` cuts are tried, and `leaves` chains priced in full.
  Descent(const NestProblem& problem, const Chains& chains, Aim aim, FoundMapping* best);

  // The most promising by `measure` first, and of these `width` at most.
  void dive(std::size_t measure, std::size_t width, std::int64_t leaves, std::int64_t tries);
  // Whether all chains were seen, or shown to be no better. The cycles or joules that those have at least which were
  // not, or are in no order of their loops what they promise, are `open()`.
  bool prove(std::int64_t tries);
  double open() const { return open_; }
  std::int64_t tried() const { return tried_; }

 private:
  struct Choice {
    double value, bound;
    int operand;
    std::uint32_t point;
  };
  bool hopeless(double cycles, double joules) const;
  bool better(const NestCost& cost) const;
  double goal(const NestCost& cost) const { return aim_ == Aim::kCycles || aim_ == Aim::kCyclesThenJoules ? cost.cycles() : cost.joules; }
  bool room(std::size_t state, std::size_t point) const;
  void choices(std::size_t state, std::size_t from, int last, std::vector<Choice>* found);
  void leaf();
  void descend(std::size_t state, std::size_t from, int last);

  const NestProblem& problem_;
  const Chains& chains_;
  const Aim aim_;
  FoundMapping* best_;
  std::vector<double> used_, spent_;
  std::vector<std::pair<Node, std::size_t>> chain_;
  std::vector<std::vector<Choice>> choices_;  // by depth
  std::int64_t tried_ = 0, tries_ = 0, leaves_ = 0;
  std::size_t guide_ = 0, width_ = 0;
  bool diving_ = false;
  double open_ = kNever;
};

}  // namespace netwright::plan
