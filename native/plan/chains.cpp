#include "plan/chains.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace netwright::plan {
namespace {

constexpr double kTrafficShare = 0.05;   // of a flow's cycles, in the guess: flows in time disturb each other
constexpr double kCyclesPerJoule = 1e6;  // in the guess: among equals the frugal one first

// Where a measure lies before those that cannot matter are left out.
struct Raw {
  std::size_t ports;
  std::size_t of(Kind kind, std::size_t which) const {
    switch (kind) {
      case Kind::kJoules: return 0;
      case Kind::kBusy: return 1 + which;
      case Kind::kReal: return 1 + ports + which;
      case Kind::kLate: return 1 + 2 * ports + which;
      case Kind::kLoad: return 1 + 3 * ports + which;
      case Kind::kUnload: return 4 + 3 * ports;
      case Kind::kGuess: return 5 + 3 * ports;
    }
    return 0;
  }
  std::size_t size(bool windows) const { return windows ? 6 + 3 * ports : 1 + ports; }
};

}  // namespace

Chains::Chains(const NestProblem& problem, const Spatial& spatial, const Paths& paths, bool windows)
    : problem_(problem), spatial_(spatial), windows_(windows && problem.windows), mean_(problem, spatial, paths, false),
      whole_(problem, spatial, paths, true), lattice_(mean_.turns()) {
  for (int operand = 0; operand < kOperands; ++operand) {
    if (mean_.holds(operand)) nodes_[operand].push_back({operand, -1});
    for (int place = 0; place < mean_.places(operand) - 1; ++place) nodes_[operand].push_back({operand, place});
    step_[operand] = states_;
    states_ *= nodes_[operand].size() + 1;
  }
  price();
  keep();
  bound();
}

// The bound of what comes before and after: every link on its own, what happens once hidden but for what the
// innermost memory needs to begin with. The guess counts every link and every late flow.
void Chains::windows(Node node, const std::int64_t* extents, double* into) const {
  static const std::int64_t kOnes[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                         1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                         1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const Raw raw{problem_.ports.size()};
  const Crossing found = whole_.crossing(node.operand, node.place, extents);
  double& guess = into[raw.of(Kind::kGuess, 0)];
  double left = 0, link = 0;
  int shared = 0;
  for (int i = 0; i < found.count; ++i) {
    const Movement& moved = found.moved[i];
    const std::int32_t port = problem_.levels[moved.level].port[node.operand * kFlows + moved.flow];
    if (port < 0) continue;
    const auto at = static_cast<std::size_t>(port);
    const double rate = problem_.ports[at];
    const double real = std::ceil(moved.elements * static_cast<double>(moved.bits) / rate);
    const auto again = static_cast<double>(moved.times - 1);
    const double late = std::max(0.0, real - static_cast<double>(moved.period)) * again;
    into[raw.of(Kind::kReal, at)] += real * again;
    into[raw.of(Kind::kLate, at)] += late;
    guess += late + kTrafficShare * real * again;
    if (node.operand == kOutputs && (moved.flow == kFeed || moved.flow == kFill)) continue;
    shared += (problem_.port_inputs[kInputs] >> port & 1) && (problem_.port_inputs[kWeights] >> port & 1);
    const auto least_bits = static_cast<double>(
        node.operand == kInputs ? problem_.input_bits
                                : node.operand == kWeights ? problem_.weight_bits : std::min(problem_.sum_bits, problem_.output_bits));
    const double first = moved.times > 1 ? real : std::ceil(whole_.tile(node.operand, 0, node.place == 0 ? extents : kOnes) * least_bits / rate);
    left = std::max(left, std::min(real, first));
    link = std::max(link, real);
  }
  if (node.place < 0) return;
  guess += link;
  if (node.operand == kOutputs) {
    into[raw.of(Kind::kUnload, 0)] += left;
    return;
  }
  const auto operand = static_cast<std::size_t>(node.operand);
  if (shared != 1 || last_half_[operand] == node.place) into[raw.of(Kind::kLoad, operand)] += left;
  if (shared > 1) into[raw.of(Kind::kLoad, 2)] += left;
}

void Chains::judge(Node node, const std::int64_t* extents, double* into) const {
  const Raw raw{problem_.ports.size()};
  const Crossing mean = mean_.crossing(node.operand, node.place, extents);
  for (int i = 0; i < mean.count; ++i) {
    const Movement& moved = mean.moved[i];
    const NestLevel& level = problem_.levels[moved.level];
    const double words = mean_.words(node.operand, moved);
    const bool read = moved.flow == kFeed || moved.flow == kDrain;
    into[0] += words * (read ? level.read_joules : level.write_joules);
    const std::int32_t port = level.port[node.operand * kFlows + moved.flow];
    if (port >= 0)
      into[raw.of(Kind::kBusy, static_cast<std::size_t>(port))] +=
          words * static_cast<double>(level.word_bits) / problem_.ports[port] / static_cast<double>(moved.instances);
  }
  if (!windows_) return;
  windows(node, extents, into);
  into[raw.of(Kind::kGuess, 0)] += kCyclesPerJoule * into[0];
}

void Chains::price(Node node, Price* into) {
  const std::size_t points = lattice_.size(), count = Raw{problem_.ports.size()}.size(windows_);
  into->gate.assign(points, kNever);
  into->bits.assign(points, 0.0);
  into->own.resize(count);
  std::vector<double> values(count);
  for (std::size_t point = 0; point < points; ++point) {
    const std::int64_t* extents = lattice_.extents(point);
    if (node.place < 0) {
      bool still = true;
      for (std::size_t loop = 0; loop < problem_.sizes.size(); ++loop)
        still = still && (extents[loop] == 1 || !(problem_.uses[node.operand] >> loop & 1));
      if (!still) continue;
    } else {
      const double held = mean_.tile(node.operand, node.place, extents) * static_cast<double>(mean_.bits(node.operand, node.place, extents));
      into->bits[point] = held;
      const int at = mean_.paths()[node.operand][static_cast<std::size_t>(node.place)];
      if (held > problem_.levels[at].capacity_bits) continue;
    }
    into->gate[point] = 0.0;
    std::fill(values.begin(), values.end(), 0.0);
    judge(node, extents, values.data());
    for (std::size_t measure = 0; measure < count; ++measure) {
      if (values[measure] == 0) continue;
      if (into->own[measure].empty()) into->own[measure].assign(points, 0.0);
      into->own[measure][point] = values[measure];
    }
  }
}

void Chains::price() {
  const std::size_t count = Raw{problem_.ports.size()}.size(windows_);
  fixed_.assign(count, 0.0);
  for (std::size_t operand = 0; operand < 2; ++operand) {
    for (int place = 0; place < mean_.places(static_cast<int>(operand)) - 1; ++place) {
      int shared = 0;
      const auto& path = mean_.paths()[operand];
      for (const auto& [at, flow] : {std::pair{path[static_cast<std::size_t>(place)], kFill}, {path[static_cast<std::size_t>(place) + 1], kFeed}}) {
        const std::int32_t port = problem_.levels[at].port[static_cast<int>(operand) * kFlows + flow];
        shared += port >= 0 && (problem_.port_inputs[kInputs] >> port & 1) && (problem_.port_inputs[kWeights] >> port & 1);
      }
      if (shared == 1) last_half_[operand] = place;
    }
  }
  const std::vector<std::int64_t> ones(problem_.sizes.size(), 1);
  for (int operand = 0; operand < kOperands; ++operand) {
    if (nodes_[operand].empty() || nodes_[operand][0].place >= 0) judge({operand, -1}, ones.data(), fixed_.data());
    prices_[operand].resize(nodes_[operand].size());
    for (std::size_t which = 0; which < nodes_[operand].size(); ++which) price(nodes_[operand][which], &prices_[operand][which]);
  }
}

// Leaves out the measures that cannot matter: a port that no chain keeps busy for as long as the array is, say.
void Chains::keep() {
  const auto ports = problem_.ports.size();
  const Raw raw{ports};
  const auto most = [&](std::size_t measure) {
    double total = fixed_[measure];
    for (const auto& operand : prices_)
      for (const Price& price : operand)
        if (!price.own[measure].empty()) total += *std::max_element(price.own[measure].begin(), price.own[measure].end());
    return total;
  };
  const auto steps = static_cast<double>(mean_.cycles());
  std::vector<double> kept;
  const auto consider = [&](Kind kind, std::size_t which, double above) {
    const std::size_t at = raw.of(kind, which);
    if (most(at) <= above || measures_.size() == kMostMeasures) return;
    measures_.push_back({kind, static_cast<std::int32_t>(which)});
    raw_.push_back(at);
    kept.push_back(fixed_[at]);
  };
  consider(Kind::kJoules, 0, -1);
  for (std::size_t port = 0; port < ports; ++port) consider(Kind::kBusy, port, problem_.hidden[port] ? steps : 0.0);
  if (windows_) {
    for (std::size_t port = 0; port < ports; ++port) {
      consider(Kind::kReal, port, steps);
      consider(Kind::kLate, port, 0);
    }
    for (std::size_t which = 0; which < 3; ++which) consider(Kind::kLoad, which, 0);
    consider(Kind::kUnload, 0, 0);
    consider(Kind::kGuess, 0, -1);
  }
  fixed_ = kept;
  for (auto& operand : prices_) {
    for (Price& price : operand) {
      std::vector<std::vector<double>> own(measures_.size());
      for (std::size_t measure = 0; measure < raw_.size(); ++measure) own[measure] = std::move(price.own[raw_[measure]]);
      price.own = std::move(own);
    }
  }
  point_columns();
}

void Chains::point_columns() {
  for (auto& operand : prices_) {
    for (Price& price : operand) {
      price.alive.clear();
      for (std::size_t point = 0; point < lattice_.size(); ++point)
        if (price.gate[point] == 0) price.alive.push_back(static_cast<std::uint32_t>(point));
      for (std::size_t measure = 0; measure < measures_.size(); ++measure) {
        auto& own = price.own[measure];
        for (std::size_t point = 0; point < own.size(); ++point)
          if (price.gate[point] == kNever) own[point] = kNever;
        price.column[measure] = own.empty() ? price.gate.data() : own.data();
      }
    }
  }
}

double Chains::cycles(const double* values) const {
  const auto steps = static_cast<double>(mean_.cycles());
  double worst = steps, waits = 0, stall = 0, load = 0, unload = 0;
  for (std::size_t i = 1; i < measures_.size(); ++i) {
    const double value = values[i];
    switch (measures_[i].kind) {
      case Kind::kBusy:
        if (problem_.hidden[static_cast<std::size_t>(measures_[i].which)]) worst = std::max(worst, value);
        else waits += value;
        break;
      case Kind::kReal: stall = std::max(stall, value - steps); break;
      case Kind::kLate: stall = std::max(stall, value); break;
      case Kind::kLoad: load = std::max(load, value); break;
      case Kind::kUnload: unload = value; break;
      default: break;
    }
  }
  return std::max(worst + waits, steps + stall + load + unload);
}

std::int64_t Chains::tries() const {
  constexpr std::size_t kPriced = 8, kStep = 16;  // a tile is priced in the time of 8 tries, 16 steps made in that of one
  std::size_t nodes = 0;
  for (const auto& operand : nodes_) nodes += operand.size();
  return static_cast<std::int64_t>(lattice_.size() * (nodes * kPriced + states_ * measures_.size() / kStep));
}

NestMapping Chains::mapping(const std::vector<std::pair<Node, std::size_t>>& chain, int order, bool last) const {
  NestMapping made;
  made.spatial = spatial_;
  made.paths = mean_.paths();
  std::vector<std::int64_t> below(problem_.sizes.size(), 1);
  const auto block = [&](const std::int64_t* extents, int operand) {
    std::vector<std::int32_t> loops(below.size());
    std::iota(loops.begin(), loops.end(), 0);
    // Which of the loops turn outermost: those of the tile that is being filled, best alone in a dim; or the others.
    const auto rank = [&](std::int32_t loop) {
      return static_cast<int>(problem_.uses[operand] >> loop & 1) + static_cast<int>(problem_.alone[operand] >> loop & 1);
    };
    std::stable_sort(loops.begin(), loops.end(), [&](std::int32_t a, std::int32_t b) {
      return order == 1 ? rank(a) > rank(b) : order == 0 ? rank(a) < rank(b) : false;
    });
    for (std::int32_t loop : loops) {
      if (extents[loop] == below[loop]) continue;
      made.temporal.push_back({loop, extents[loop] / below[loop]});
      below[loop] = extents[loop];
    }
  };
  for (std::size_t i = 0; i < chain.size(); ++i) {
    std::size_t wanted = i;
    while (last && wanted + 1 < chain.size() && chain[wanted + 1].second == chain[i].second) ++wanted;
    block(lattice_.extents(chain[i].second), chain[wanted].first.operand);
    const auto& [node, point] = chain[i];
    if (node.place >= 0) made.cuts[node.operand].push_back(static_cast<std::int32_t>(made.temporal.size()));
  }
  block(mean_.turns().data(), kOutputs);
  return made;
}

double Chains::least_windowed(const std::vector<std::pair<Node, std::size_t>>& chain, double limit) const {
  Cuts cuts;
  const std::vector<std::int64_t> ones(problem_.sizes.size(), 1);
  Blocks blocks{ones};
  for (int operand = 0; operand < kOperands; ++operand)
    if (!mean_.holds(operand)) cuts[operand].push_back({0, ones});
  for (const auto& [node, point] : chain) {
    const std::int64_t* extents = lattice_.extents(point);
    blocks.emplace_back(extents, extents + ones.size());
    cuts[node.operand].push_back({blocks.size() - 1, blocks.back()});
  }
  blocks.push_back(mean_.turns());
  for (auto& operand : cuts) operand.push_back({blocks.size() - 1, mean_.turns()});
  return least_windowed_cycles(mean_, whole_, blocks, cuts, limit);
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

}  // namespace netwright::plan
