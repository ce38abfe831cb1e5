// A sum of products over nested loops on an array of multipliers with memories: traffic, energy, cycles.
// The twin of src/netwright/cost/loop_nest.py and port_stalls.py, which say what each figure means.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace netwright::plan {

constexpr int kInputs = 0, kWeights = 1, kOutputs = 2, kOperands = 3;
enum Flow : int { kFeed, kUpdate, kFill, kDrain };
constexpr int kFlows = 4;

struct TensorDim {
  std::int32_t first, second;  // loops; -1: none
  std::int64_t step, stride, extent;
  bool plain() const { return second < 0 && step == 1; }
};

struct NestLevel {
  double capacity_bits, read_joules, write_joules;  // joules of a word
  std::int64_t access_bits, word_bits;
  std::uint32_t serves;                             // axes, one bit each
  bool holds;
  std::array<std::int32_t, kOperands * kFlows> port;  // -1: none that limits
};

struct NestProblem {
  std::vector<std::int64_t> sizes;
  std::array<std::vector<TensorDim>, kOperands> dims;
  std::vector<bool> multicast;  // by axis
  std::vector<NestLevel> levels;
  std::vector<double> ports;  // bits a cycle
  std::vector<bool> hidden;   // by port: the array does not wait while it moves
  std::array<std::uint32_t, kOperands> port_inputs;
  std::int64_t input_bits, weight_bits, sum_bits, output_bits;
  bool reads_first_sum, windows;
  std::array<std::uint64_t, kOperands> uses, alone;  // loops of each operand, one bit each
};

struct SpatialLoop {
  std::int32_t axis, loop, unrolled;
};
struct TemporalLoop {
  std::int32_t loop;
  std::int64_t count;
};
using Spatial = std::vector<SpatialLoop>;
using Paths = std::array<std::vector<std::int32_t>, kOperands>;  // levels, innermost first

struct NestMapping {
  Spatial spatial;
  std::vector<TemporalLoop> temporal;  // innermost first
  Paths paths;
  std::array<std::vector<std::int32_t>, kOperands> cuts;
};

struct NestCost {
  // `busiest`: cycles of the port that moves most; the windows of a mapping may forget some of them.
  double joules = 0, loading = 0, computing = 0, unloading = 0, busiest = 0;
  double cycles() const { return std::max(loading + computing + unloading, busiest); }
};

struct Movement {
  Flow flow;
  int level;  // of the array
  double elements;
  std::int64_t bits, period, times;
  std::int64_t instances;
};

// What crosses between the levels at `place` and `place + 1` of an operand; at most four flows.
struct Crossing {
  std::array<Movement, 4> moved;
  int count = 0;
};

// One way of unrolling the loops over the axes, with the levels of every operand.
class Unrolled {
 public:
  Unrolled(const NestProblem& problem, const Spatial& spatial, const Paths& paths, bool whole);

  const NestProblem& problem() const { return problem_; }
  const Paths& paths() const { return paths_; }
  const std::vector<std::int64_t>& turns() const { return turns_; }  // temporal steps of every loop
  std::int64_t cycles() const { return cycles_; }
  int places(int operand) const { return static_cast<int>(paths_[operand].size()); }
  bool holds(int operand) const { return operand != kOutputs && problem_.levels[paths_[operand][0]].holds; }

  // Elements in one instance when the temporal loops below have these extents.
  double tile(int operand, int place, const std::int64_t* extents) const;
  // Whether sums that leave the outputs' level at `place` are unfinished.
  bool partial(int place, const std::int64_t* extents) const;
  std::int64_t bits(int operand, int place, const std::int64_t* extents) const;
  Crossing crossing(int operand, int place, const std::int64_t* extents) const;
  double words(int operand, const Movement& moved) const;
  double joules(int operand, const Movement& moved) const;
  std::int64_t instances(int operand, int place) const { return instances_[operand][place]; }

 private:
  const NestProblem& problem_;
  Paths paths_;
  std::vector<std::int64_t> turns_;
  std::int64_t cycles_ = 1;
  double outputs_ = 0;
  // By operand and place: spatial extents within the level, members that differ, memories at work.
  std::array<std::vector<std::vector<double>>, kOperands> within_;
  std::array<std::vector<double>, kOperands> members_;
  std::array<std::vector<std::int64_t>, kOperands> instances_;
  std::vector<bool> summed_above_;  // by place of the outputs: an axis above adds up
};

// Every cut raised over loops directly above that do not index its operand, and the extents there.
struct Cut {
  std::size_t loops;
  std::vector<std::int64_t> extents;
};
Cut cut_at(const NestProblem& problem, const NestMapping& mapping, int operand, int place, bool holds);

using Cuts = std::array<std::vector<Cut>, kOperands>;  // by place + 1

double nest_joules(const Unrolled& unrolled, const NestMapping& mapping);
double overlapped_cycles(const Unrolled& unrolled, const NestMapping& mapping);
void windowed_cycles(const Unrolled& mean, const Unrolled& whole, const NestMapping& mapping, NestCost* cost);
// What no order of the loops of every block is below, or `limit` if that is less. Blocks are tiles, each a part of the
// next, from one step to all; `loops` of a cut is its place among them.
using Blocks = std::vector<std::vector<std::int64_t>>;
double least_windowed_cycles(const Unrolled& mean, const Unrolled& whole, const Blocks& blocks, const Cuts& cuts, double limit);

// Whether every tile has room in its memory; what each level then holds, in bits.
bool fits(const Unrolled& unrolled, const NestMapping& mapping, std::vector<double>* held);

NestCost nest_cost(const NestProblem& problem, const NestMapping& mapping);

// What is wrong with a problem or a mapping of it; nullptr: nothing.
const char* check(const NestProblem& problem);
const char* check(const NestProblem& problem, const NestMapping& mapping);
const char* check_options(const NestProblem& problem, const Spatial& spatial, const Paths& paths);

}  // namespace netwright::plan
