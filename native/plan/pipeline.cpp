#include "plan/pipeline.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "plan/pipeline_greedy.hpp"
#include "plan/pipeline_pattern.hpp"
#include "plan/pipeline_replay.hpp"
#include "plan/pipeline_wave.hpp"

namespace netwright::plan {
namespace {

// Of annealing: heat at first, in times of one chunk's work; the weight of the mean span beside the longest.
constexpr double kWarmth = 0.02, kMeanShare = 0.3;
constexpr double kNever = std::numeric_limits<double>::infinity();

// Moves one pass within one worker's order where that keeps dependencies there and the memory limit.
class Moves {
 public:
  Moves(const Pipeline& pipeline, std::uint64_t seed) : p_(pipeline), random_(seed) {}

  // False when the drawn move is not legal; the orders are then as before.
  bool change(Orders& orders, std::int32_t& worker, std::int32_t& from, std::int32_t& to) {
    worker = draw(p_.workers);
    auto& order = orders[worker];
    const auto size = static_cast<std::int32_t>(order.size());
    if (size < 2) return false;
    from = draw(size);
    to = std::clamp(from + draw(2 * kReach + 1) - kReach, 0, size - 1);
    if (from == to) return false;
    const std::int32_t moved = order[from];
    for (std::int32_t i = std::min(from, to); i <= std::max(from, to); ++i) {
      if (i != from && !(from < to ? may_swap(moved, order[i]) : may_swap(order[i], moved))) return false;
    }
    shift(order, from, to);
    if (fits(worker, order)) return true;
    shift(order, to, from);
    return false;
  }

  static void shift(std::vector<std::int32_t>& order, std::int32_t from, std::int32_t to) {
    if (from < to) std::rotate(order.begin() + from, order.begin() + from + 1, order.begin() + to + 1);
    else std::rotate(order.begin() + to, order.begin() + from, order.begin() + from + 1);
  }

  bool fits(std::int32_t worker, const std::vector<std::int32_t>& order) const {
    double used = 0;
    const std::int32_t m = p_.microbatches, n = p_.chunks();
    const double most = p_.limit[worker] * (1 + 1e-9);
    for (const std::int32_t pass : order) {
      const std::int32_t kind = pass / (n * m), chunk = pass / m % n;
      if (kind == 0) {
        used += p_.memory[chunk];
        if (used > most) return false;
      } else {
        used -= kind == 1 ? p_.memory[chunk] - p_.kept[chunk] : p_.kept[chunk];
      }
    }
    return true;
  }

  double unit() { return std::uniform_real_distribution<double>(0, 1)(random_); }

 private:
  static constexpr std::int32_t kReach = 6;

  std::int32_t draw(std::int32_t below) { return static_cast<std::int32_t>(random_() % std::uint64_t(below)); }

  // Whether `first` may come after `second`, which it now precedes: micro-batches keep their order.
  bool may_swap(std::int32_t first, std::int32_t second) const {
    const std::int32_t m = p_.microbatches, n = p_.chunks();
    if (first / m == second / m) return false;
    const bool same = first % m == second % m;
    const std::int32_t a = first / m % n, b = second / m % n;
    const std::int32_t k = first / (n * m), l = second / (n * m);
    if (!same) return true;
    if (a == b) return false;  // F, B, W of one chunk
    if (k == 0 && l == 0) return a > b;
    if (k == 1 && l == 1) return a < b;
    return !(k == 0 && l == 1);
  }

  const Pipeline& p_;
  std::mt19937_64 random_;
};

// Simulated annealing on the order itself, by exact replay. The mean of the spans counts a little: it tells
// moves apart that leave the longest one as it is.
void polish(const Pipeline& pipeline, Found& best, std::int64_t passes, std::uint64_t seed) {
  Replay replay(pipeline);
  Moves moves(pipeline, seed);
  Orders now = best.orders;
  const std::int64_t rounds = passes / std::max(pipeline.passes(), 1);
  const auto worth = [&](double span) { return span + kMeanShare * replay.mean(); };
  double value = worth(replay.span(now)), total = 0;
  for (std::int32_t c = 0; c < pipeline.chunks(); ++c) total += pipeline.forward[c] + pipeline.input[c] + pipeline.weight[c];
  const double warmth = kWarmth * total / pipeline.chunks();
  for (std::int64_t i = 0; i < rounds; ++i) {
    std::int32_t worker = 0, from = 0, to = 0;
    if (!moves.change(now, worker, from, to)) continue;
    const double span = replay.span(now), tried = worth(span);
    const double heat = warmth * (1.0 - double(i) / double(rounds));
    ++best.tries;
    if (tried <= value || (span < kNever && moves.unit() < std::exp((value - tried) / std::max(heat, 1e-300)))) {
      value = tried;
      if (span < best.span * (1 - 1e-12)) {
        best.span = span;
        best.orders = now;
      }
    } else {
      Moves::shift(now[worker], to, from);
    }
  }
}

}  // namespace

const char* check(const Pipeline& p) {
  const std::size_t n = p.place.size(), workers = std::size_t(std::max(p.workers, 0));
  if (p.workers < 1 || p.microbatches < 1 || n < 1) return "needs a worker, a chunk and a micro-batch";
  if (n > 1u << 16 || workers > 1u << 12 || std::uint64_t(p.microbatches) * n > 1u << 24) return "too many passes";
  for (const auto* column : {&p.forward, &p.input, &p.weight, &p.memory, &p.kept}) {
    if (column->size() != n) return "one number a chunk is needed";
  }
  if (p.transfer.size() != workers || p.limit.size() != workers) return "one number a worker is needed";
  for (const std::int32_t w : p.place) {
    if (w < 0 || w >= p.workers) return "a chunk is on a worker that is not there";
  }
  for (const auto* column : {&p.forward, &p.input, &p.weight, &p.memory, &p.kept, &p.transfer, &p.limit}) {
    for (const double value : *column) {
      if (!(value >= 0 && value < 1e15)) return "a number is negative or too large";
    }
  }
  for (std::size_t c = 0; c < n; ++c) {
    if (p.kept[c] > p.memory[c]) return "more is kept than was taken";
  }
  return nullptr;
}

const char* check(const Pipeline& p, const Orders& orders) {
  if (orders.size() != std::size_t(p.workers)) return "one order a worker is needed";
  std::vector<char> seen(p.passes(), 0);
  std::int64_t count = 0;
  for (std::int32_t w = 0; w < p.workers; ++w) {
    for (const std::int32_t pass : orders[w]) {
      if (pass < 0 || pass >= p.passes() || seen[pass]) return "a pass is not there, or there twice";
      if (p.place[pass / p.microbatches % p.chunks()] != w) return "a pass is on the wrong worker";
      seen[pass] = 1;
      ++count;
    }
  }
  return count == p.passes() ? nullptr : "a pass is missing";
}

double longest_span(const Pipeline& pipeline, const Orders& orders) { return Replay(pipeline).span(orders); }

Found search(const Pipeline& pipeline, const std::vector<Orders>& starts, std::int64_t passes, std::uint64_t seed) {
  Found best;
  best.span = kNever;
  const Moves moves(pipeline, seed);
  for (const Orders& start : starts) {
    bool fits = true;
    for (std::int32_t w = 0; w < pipeline.workers; ++w) fits = fits && moves.fits(w, start[w]);
    const double span = fits ? longest_span(pipeline, start) : kNever;
    ++best.tries;
    if (span < best.span) {
      best.span = span;
      best.orders = start;
    }
  }
  const bool one_chunk_each = pipeline.chunks() == pipeline.workers;
  wave_search(pipeline, best);
  greedy_search(pipeline, best, one_chunk_each ? passes / 4 : passes / 2, seed);
  if (one_chunk_each) pattern_search(pipeline, best, passes / 2, seed);
  if (!best.orders.empty()) polish(pipeline, best, one_chunk_each ? passes / 4 : passes / 2, seed + 1);
  return best;
}

}  // namespace netwright::plan
