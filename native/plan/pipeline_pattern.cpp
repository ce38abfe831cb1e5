#include "plan/pipeline_pattern.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "plan/pipeline_replay.hpp"

namespace netwright::plan {
namespace {

std::vector<std::int32_t> one_order(const Pipeline& p, std::int32_t worker, std::int32_t chunk, Pattern pattern) {
  const std::int32_t m = p.microbatches, n = p.chunks();
  const double most = p.limit[worker] * (1 + 1e-9), whole = p.memory[chunk], kept = p.kept[chunk];
  std::vector<std::int32_t> order;
  order.reserve(std::size_t(3) * m);
  double used = 0;
  std::int32_t next[3] = {0, 0, 0};
  const auto add = [&](std::int32_t kind) {
    order.push_back((kind * n + chunk) * m + next[kind]++);
    used += kind == 0 ? whole : kind == 1 ? kept - whole : -kept;
  };
  const auto fits = [&] { return used + whole <= most; };
  while (next[0] < std::min(pattern.warm_up, m) && fits()) add(0);
  if (next[0] == 0) {
    if (!fits()) return {};
    add(0);
  }
  while (next[1] < m) {
    if (next[1] < next[0]) add(1);
    if (next[1] - next[2] > pattern.late) add(2);
    if (next[0] < m && (next[0] < next[1] + pattern.warm_up || next[0] == next[1])) {
      while (!fits() && next[2] < next[1]) add(2);
      if (fits()) add(0);
    }
  }
  while (next[2] < m) add(2);
  return order;
}

}  // namespace

Orders patterned(const Pipeline& pipeline, const std::vector<Pattern>& patterns) {
  Orders orders(pipeline.workers);
  for (std::int32_t c = 0; c < pipeline.chunks(); ++c) {
    const std::int32_t w = pipeline.place[c];
    orders[w] = one_order(pipeline, w, c, patterns[w]);
    if (orders[w].empty()) return {};
  }
  return orders;
}

namespace {

// Patterns that change evenly from the last worker (warm-up) and from the first one (late).
struct Ramp {
  double ahead = 1, offset = 1, slope = 1, base = 0;

  std::vector<Pattern> patterns(std::int32_t workers) const {
    std::vector<Pattern> all(workers);
    for (std::int32_t w = 0; w < workers; ++w) {
      all[w].warm_up = std::max(1, static_cast<std::int32_t>(std::lround(ahead * (workers - 1 - w) + offset)));
      all[w].late = std::max(0, static_cast<std::int32_t>(std::lround(slope * w + base)));
    }
    return all;
  }
};

// Replays patterns within a budget of scheduled passes and keeps the shortest.
class Trial {
 public:
  Trial(const Pipeline& pipeline, Found& best, std::int64_t passes)
      : p_(pipeline), replay_(pipeline), best_(best), left_(passes) {}

  bool goes_on() const { return left_ > 0; }

  double span(const std::vector<Pattern>& patterns) {
    Orders orders = patterned(p_, patterns);
    left_ -= p_.passes();
    if (orders.empty()) return Replay::never();
    const double span = replay_.span(orders);
    ++best_.tries;
    if (span < best_.span * (1 - 1e-12)) {
      best_.span = span;
      best_.orders = std::move(orders);
    }
    return span;
  }

 private:
  const Pipeline& p_;
  Replay replay_;
  Found& best_;
  std::int64_t left_;
};

// The best ramp: a coarse grid, then ever smaller random steps.
Ramp best_ramp(const Pipeline& pipeline, Trial trial, std::mt19937_64& random) {
  Ramp kept;
  double value = Replay::never();
  const auto attempt = [&](const Ramp& ramp) {
    const double span = trial.span(ramp.patterns(pipeline.workers));
    if (span > value || span == Replay::never()) return;
    value = span;
    kept = ramp;
  };
  for (const double slope : {0.0, 1.0, 2.0, 3.0, 4.0, 5.0}) {
    for (const double ahead : {1.0, 1.5, 2.0, 2.5}) {
      if (trial.goes_on()) attempt({ahead, 1, slope, 0});
    }
  }
  std::uniform_real_distribution<double> unit(-1, 1);
  for (double size = 1; trial.goes_on(); size = std::max(0.05, size * 0.99)) {
    Ramp ramp = kept;
    ramp.ahead += 0.5 * size * unit(random);
    ramp.offset += 2 * size * unit(random);
    ramp.slope += size * unit(random);
    ramp.base += 3 * size * unit(random);
    attempt(ramp);
  }
  return kept;
}

}  // namespace

void pattern_search(const Pipeline& pipeline, Found& best, std::int64_t passes, std::uint64_t seed) {
  const std::int32_t p = pipeline.workers;
  if (pipeline.chunks() != p) return;
  std::mt19937_64 random(seed);
  std::vector<Pattern> kept = best_ramp(pipeline, Trial(pipeline, best, passes / 2), random).patterns(p);
  Trial trial(pipeline, best, passes - passes / 2);
  double value = trial.span(kept);
  const auto draw = [&](std::int32_t below) { return static_cast<std::int32_t>(random() % std::uint64_t(below)); };
  while (trial.goes_on()) {
    std::vector<Pattern> patterns = kept;
    const std::int32_t from = draw(p), to = draw(3) == 0 ? from + 1 + draw(p - from) : from + 1;
    const std::int32_t step = (draw(2) * 2 - 1) * (1 + draw(2)), what = draw(2);
    for (std::int32_t w = from; w < to; ++w) {
      std::int32_t& number = what == 0 ? patterns[w].warm_up : patterns[w].late;
      number = std::max(what == 0 ? 1 : 0, number + step);
    }
    const double span = trial.span(patterns);
    if (span > value) continue;
    value = span;
    kept = std::move(patterns);
  }
}

}  // namespace netwright::plan
