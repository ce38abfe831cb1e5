// Replay: orders of passes to the longest span of a worker, every pass as early as it can.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "plan/pipeline.hpp"

namespace netwright::plan {

// Replays orders; keeps its arrays between calls.
class Replay {
 public:
  explicit Replay(const Pipeline& pipeline)
      : p_(pipeline), end_(pipeline.passes()), at_(pipeline.workers), clock_(pipeline.workers),
        link_(std::size_t(pipeline.workers) * pipeline.workers) {}

  double span(const Orders& orders) {
    std::ranges::fill(end_, -1.0);
    std::ranges::fill(at_, 0);
    std::ranges::fill(clock_, 0.0);
    std::ranges::fill(link_, 0.0);
    first_.assign(p_.workers, -1.0);
    std::size_t left = 0;
    for (const auto& order : orders) left += order.size();
    for (bool moved = true; left > 0 && moved;) {
      moved = false;
      for (std::int32_t w = 0; w < p_.workers; ++w) {
        while (at_[w] < orders[w].size() && step(w, orders[w][at_[w]])) {
          ++at_[w];
          --left;
          moved = true;
        }
      }
    }
    if (left > 0) return never();
    double longest = 0;
    mean_ = 0;
    for (std::int32_t w = 0; w < p_.workers; ++w) {
      const double span = clock_[w] - std::max(first_[w], 0.0);
      longest = std::max(longest, span);
      mean_ += span / p_.workers;
    }
    return longest;
  }

  // Of the workers' spans in the last replay.
  double mean() const { return mean_; }

  static constexpr double never() { return std::numeric_limits<double>::infinity(); }

 private:
  // When what the pass waits for has arrived, runs it.
  bool step(std::int32_t w, std::int32_t pass) {
    const std::int32_t m = p_.microbatches, n = p_.chunks();
    const std::int32_t kind = pass / (n * m), chunk = pass / m % n;
    double ready = clock_[w], seconds = p_.forward[chunk];
    if (kind == 0) {
      if (chunk > 0 && !arrives(pass - m, ready)) return false;
    } else if (kind == 1) {
      seconds = p_.input[chunk];
      if (end_[pass - n * m] < 0 || (chunk + 1 < n && !arrives(pass + m, ready))) return false;
    } else {
      seconds = p_.weight[chunk];
      if (end_[pass - n * m] < 0) return false;  // done by this worker: its message need not have arrived
    }
    if (first_[w] < 0) first_[w] = ready;
    clock_[w] = ready + seconds;
    end_[pass] = kind == 2 ? clock_[w] : sent(w, kind, chunk, clock_[w]);
    return true;
  }

  bool arrives(std::int32_t pass, double& ready) const {
    if (end_[pass] < 0) return false;
    ready = std::max(ready, end_[pass]);
    return true;
  }

  // When the result is where it is needed next. A link carries one message after the other.
  double sent(std::int32_t w, std::int32_t kind, std::int32_t chunk, double now) {
    const std::int32_t next = kind == 0 ? chunk + 1 : chunk - 1;
    if (next < 0 || next >= p_.chunks() || p_.place[next] == w) return now;
    double& link = link_[std::size_t(w) * p_.workers + p_.place[next]];
    return link = std::max(link, now) + p_.transfer[w];
  }

  const Pipeline& p_;
  std::vector<double> end_;
  std::vector<std::size_t> at_;
  std::vector<double> clock_, link_, first_;
  double mean_ = 0;
};

}  // namespace netwright::plan
