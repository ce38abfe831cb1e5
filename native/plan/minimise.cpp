// Finds the least capacity: greedy from above, the load from below, complete search in between.
#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

#include "plan/allocate.hpp"

namespace netwright::plan {
namespace {

using Offset = std::int64_t;

// Every canonical offset is a sum of sizes, or a multiple of an alignment, or above a fixed one.
Offset granularity(const Buffers& buffers) {
  Offset result = 0;
  for (std::size_t b = 0; b < buffers.count(); ++b) {
    result = std::gcd(result, buffers.size[b]);
    if (buffers.alignment[b] > 1) result = std::gcd(result, buffers.alignment[b]);
    if (buffers.fixed[b] > 0) result = std::gcd(result, buffers.fixed[b]);
  }
  return std::max<Offset>(result, 1);
}

class Driver {
 public:
  Driver(const Buffers& buffers, const Limits& limits)
      : buffers_(buffers), limits_(limits), grain_(granularity(buffers)) {}

  Packing run() {
    packing_.offset = greedy(buffers_);
    if (packing_.offset.empty()) return packing_;
    packing_.height = height_of(buffers_, packing_.offset);
    packing_.bound = load_bound(buffers_);
    // The bound itself is the answer for most networks: half of the budget goes to it.
    if (packing_.bound < packing_.height) attempt(packing_.bound, limits_.nodes / 2);
    // Capacities below `doubtful` are impossible or were given up on.
    Offset doubtful = std::max(packing_.bound, given_up_);
    while (doubtful < packing_.height - grain_ && !spent()) {
      const Offset middle = doubtful + (packing_.height - doubtful) / grain_ / 2 * grain_;
      attempt(middle, std::max<std::int64_t>((limits_.nodes - packing_.nodes) / 4, 1));
      doubtful = std::max({doubtful, packing_.bound, given_up_});
    }
    close_gap();
    packing_.proved = packing_.height == packing_.bound;
    return packing_;
  }

 private:
  double passed_seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }

  bool spent() const {
    return packing_.nodes >= limits_.nodes || (limits_.seconds > 0 && passed_seconds() >= limits_.seconds);
  }

  void attempt(Offset capacity, std::int64_t nodes) {
    const double left = limits_.seconds > 0 ? std::max(limits_.seconds - passed_seconds(), 1e-9) : 0;
    Fit result = fit(buffers_, capacity, {nodes, left});
    packing_.nodes += result.nodes;
    if (result.outcome == Outcome::impossible) packing_.bound = capacity + grain_;
    if (result.outcome == Outcome::stopped) given_up_ = std::max(given_up_, capacity);
    if (result.outcome != Outcome::found) return;
    packing_.height = height_of(buffers_, result.offset);
    packing_.offset = std::move(result.offset);
  }

  // What is left of the budget goes to proving that one grain less is impossible.
  void close_gap() {
    while (packing_.bound < packing_.height && !spent()) {
      const Offset before = packing_.height, bound = packing_.bound;
      attempt(packing_.height - grain_, limits_.nodes - packing_.nodes);
      if (packing_.height == before && packing_.bound == bound) return;
    }
  }

  const Buffers& buffers_;
  const Limits limits_;
  const Offset grain_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  Offset given_up_ = 0;
  Packing packing_{0, 0, 0, false, {}};
};

}  // namespace

Offset load_bound(const Buffers& buffers) {
  std::vector<std::pair<Offset, Offset>> events;  // time, change; ends come before starts
  Offset top = 0;
  for (std::size_t b = 0; b < buffers.count(); ++b) {
    events.emplace_back(buffers.lower[b], buffers.size[b]);
    events.emplace_back(buffers.upper[b], -buffers.size[b]);
    top = std::max(top, std::max<Offset>(buffers.fixed[b], 0) + buffers.size[b]);
  }
  std::sort(events.begin(), events.end());
  Offset load = 0;
  for (const auto& event : events) top = std::max(top, load += event.second);
  return top;
}

Packing minimise(const Buffers& buffers, const Limits& limits) {
  if (buffers.count() == 0) return {0, 0, 0, true, {}};
  return Driver(buffers, limits).run();
}

}  // namespace netwright::plan
