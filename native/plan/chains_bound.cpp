// Dynamic programming over the lattice: the least that is still to come from a tile, and the least that led to it.
#include <algorithm>

#include "plan/chains.hpp"

namespace netwright::plan {

void Chains::bound() {
  const std::size_t points = lattice_.size();
  togo_.resize(measures_.size());
  for (std::size_t measure = 0; measure < measures_.size(); ++measure) {
    std::vector<double>& togo = togo_[measure];
    togo.assign(states_ * points, kNever);
    std::fill(togo.end() - static_cast<std::ptrdiff_t>(points), togo.end(), 0.0);
    for (std::size_t state = states_ - 1; state-- > 0;) {
      double* here = &togo[state * points];
      for (int operand = 0; operand < kOperands; ++operand) {
        const std::size_t which = used(state, operand);
        if (which == nodes_[operand].size()) continue;
        const double* next = &togo[(state + step_[operand]) * points];
        const double* price = prices_[operand][which].column[measure];
        for (std::size_t point = 0; point < points; ++point) here[point] = std::min(here[point], price[point] + next[point]);
      }
      lattice_.least_beyond(here);
    }
  }
}

// so_far[state][point]: the least of what a chain within the tile has had when it comes to the state.
void Chains::reach(std::size_t measure, std::vector<double>* so_far) const {
  const std::size_t points = lattice_.size();
  so_far->assign(states_ * points, kNever);
  std::fill(so_far->begin(), so_far->begin() + static_cast<std::ptrdiff_t>(points), 0.0);
  for (std::size_t state = 1; state < states_; ++state) {
    double* here = so_far->data() + state * points;
    for (int operand = 0; operand < kOperands; ++operand) {
      const std::size_t which = used(state, operand);
      if (which == 0) continue;
      const double* before = so_far->data() + (state - step_[operand]) * points;
      const double* price = prices_[operand][which - 1].column[measure];
      for (std::size_t point = 0; point < points; ++point) here[point] = std::min(here[point], price[point] + before[point]);
    }
    lattice_.least_within(here);
  }
}

void Chains::least(double* values) const {
  for (std::size_t measure = 0; measure < measures_.size(); ++measure) values[measure] = fixed_[measure] + togo(measure, 0, 0);
}

std::size_t Chains::filter(double cycles, double joules) {
  const std::size_t points = lattice_.size(), count = measures_.size();
  std::array<std::vector<std::vector<double>>, kOperands> through;  // operand, node, point x measure
  for (int operand = 0; operand < kOperands; ++operand)
    through[operand].assign(nodes_[operand].size(), std::vector<double>(points * count, kNever));
  std::vector<double> so_far;
  for (std::size_t measure = 0; measure < count; ++measure) {
    reach(measure, &so_far);
    for (std::size_t state = 0; state + 1 < states_; ++state) {
      for (int operand = 0; operand < kOperands; ++operand) {
        const std::size_t which = used(state, operand);
        if (which == nodes_[operand].size()) continue;
        const Price& price = prices_[operand][which];
        const double* before = &so_far[state * points];
        const double* after = &togo_[measure][(state + step_[operand]) * points];
        double* found = through[operand][which].data();
        for (std::uint32_t point : price.alive) {
          double& least = found[point * count + measure];
          least = std::min(least, fixed_[measure] + before[point] + price.column[measure][point] + after[point]);
        }
      }
    }
  }
  std::size_t went = 0;
  for (int operand = 0; operand < kOperands; ++operand) {
    for (std::size_t which = 0; which < nodes_[operand].size(); ++which) {
      Price& price = prices_[operand][which];
      for (std::uint32_t point : price.alive) {
        const double* values = &through[operand][which][point * count];
        const double least = values[0] == kNever ? kNever : this->cycles(values);
        const bool frugal = values[0] < joules * (1 - kEqual);
        if (least <= cycles * (1 + kEqual) && (least < cycles * (1 - kEqual) || frugal)) continue;
        price.gate[point] = kNever;
        ++went;
      }
    }
  }
  if (went) {
    point_columns();
    bound();
  }
  return went;
}

}  // namespace netwright::plan
