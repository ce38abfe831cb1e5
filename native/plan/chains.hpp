// Chains of tiles: one tile for each level of each operand, each a part of the next, and what they cost.
//
// What crosses a level depends only on the tile at its cut: its elements and how often it is replaced. So what a
// mapping is judged by are sums over its cuts (measures), and the least sum over all chains that begin at a tile is
// found by dynamic programming over the lattice of tiles; only memories that operands share couple the cuts.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "plan/lattice.hpp"
#include "plan/nest.hpp"

namespace netwright::plan {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kEqual = 1e-12;  // relative: sums in another order

// Where the levels at `place` and `place + 1` of an operand meet; -1: the array and its innermost level.
struct Node {
  int operand, place;
};

// Busy: cycles in which a port moves something. Where windows stall: real and late are cycles that flows take in all
// but one of their periods, and by how much they exceed these; load and unload what comes before and after.
enum class Kind : std::int32_t { kJoules, kBusy, kReal, kLate, kLoad, kUnload, kGuess };
struct Measure {
  Kind kind;
  std::int32_t which;  // a port; of loads: 0 inputs, 1 weights, 2 links that both use
};
constexpr std::size_t kMostMeasures = 128;

class Chains {
 public:
  Chains(const NestProblem& problem, const Spatial& spatial, const Paths& paths, bool windows);

  const Lattice& lattice() const { return lattice_; }
  const Unrolled& mean() const { return mean_; }
  const std::vector<Node>& nodes(int operand) const { return nodes_[operand]; }
  std::size_t states() const { return states_; }
  std::size_t step(int operand) const { return step_[operand]; }
  std::size_t used(std::size_t state, int operand) const { return state / step_[operand] % (nodes_[operand].size() + 1); }

  const std::vector<Measure>& measures() const { return measures_; }
  double fixed(std::size_t measure) const { return fixed_[measure]; }
  double cost(std::size_t measure, int operand, std::size_t which, std::size_t point) const {
    return prices_[operand][which].column[measure][point];
  }
  // The least still to come.
  double togo(std::size_t measure, std::size_t state, std::size_t point) const {
    return togo_[measure][state * lattice_.size() + point];
  }
  double bits(int operand, std::size_t which, std::size_t point) const { return prices_[operand][which].bits[point]; }
  int level(int operand, std::size_t which) const {
    const int place = nodes_[operand][which].place;
    return place < 0 ? -1 : mean_.paths()[operand][static_cast<std::size_t>(place)];
  }
  // Tiles that a cut can have.
  const std::vector<std::uint32_t>& alive(int operand, std::size_t which) const { return prices_[operand][which].alive; }
  bool gone(int operand, std::size_t which, std::size_t point) const { return prices_[operand][which].gate[point] == kNever; }

  // Cycles that no mapping is below whose measures are at least these; exact for a chain whose windows are all open,
  // but for what the idle cycles of ports can hide of first loads.
  double cycles(const double* values) const;
  void least(double* values) const;  // of all chains
  // What making these tables took, in cuts that could have been tried.
  std::int64_t tries() const;

  // Takes out the tiles through which every chain has at least so many cycles, and, where it has exactly as many, at
  // least so many joules; how many went.
  std::size_t filter(double cycles, double joules);

  // The loops of a chain; `order`: which loops of a block lie outside, `last`: as the last of equal cuts wants them.
  NestMapping mapping(const std::vector<std::pair<Node, std::size_t>>& chain, int order, bool last) const;
  // What no order of its loops is below, where windows stall; or `limit` if that is less.
  double least_windowed(const std::vector<std::pair<Node, std::size_t>>& chain, double limit) const;
  std::vector<double> smallest() const;

 private:
  struct Price {
    std::vector<double> gate, bits;              // by point; a gate is 0, or kNever where the tile cannot be
    std::vector<std::vector<double>> own;        // by measure; empty: nothing
    std::array<const double*, kMostMeasures> column{};  // by measure that is kept
    std::vector<std::uint32_t> alive;
  };
  void price();
  void price(Node node, Price* into);
  void judge(Node node, const std::int64_t* extents, double* into) const;
  void windows(Node node, const std::int64_t* extents, double* into) const;
  void keep();
  void point_columns();
  void bound();
  void reach(std::size_t measure, std::vector<double>* so_far) const;

  const NestProblem& problem_;
  Spatial spatial_;
  bool windows_;
  Unrolled mean_, whole_;
  Lattice lattice_;
  std::array<int, 2> last_half_{-1, -1};  // the outermost link of an operand that it shares at one end
  std::size_t states_ = 1;
  std::array<std::vector<Node>, kOperands> nodes_;
  std::array<std::size_t, kOperands> step_{};
  std::vector<Measure> measures_;
  std::vector<std::size_t> raw_;  // of a kept measure: its place in `own`
  std::vector<double> fixed_;
  std::array<std::vector<Price>, kOperands> prices_;
  std::vector<std::vector<double>> togo_;
};

}  // namespace netwright::plan
