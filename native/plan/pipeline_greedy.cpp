#include "plan/pipeline_greedy.hpp"

#include <algorithm>
#include <limits>
#include <queue>
#include <random>

#include "plan/pipeline_replay.hpp"

namespace netwright::plan {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

class Greedy {
 public:
  Greedy(const Pipeline& pipeline, const std::vector<Rule>& rules)
      : p_(pipeline), rules_(rules), m_(pipeline.microbatches), n_(pipeline.chunks()), next_(std::size_t(3) * n_, 0),
        arrival_(std::size_t(2) * n_ * m_, kNever), used_(p_.workers, 0.0), clock_(p_.workers, 0.0),
        ahead_(p_.workers, 0), forwards_(p_.workers, 0),
        link_(std::size_t(p_.workers) * p_.workers, 0.0), held_(p_.workers) {
    for (std::int32_t c = 0; c < n_; ++c) held_[p_.place[c]].push_back(c);
    for (std::int32_t i = 0; i < m_; ++i) arrival_[i] = 0.0;
    orders_.resize(p_.workers);
  }

  Orders run() {
    for (std::int32_t w = 0; w < p_.workers; ++w) wake(w, 0.0);
    while (!awake_.empty()) {
      const auto [now, w] = awake_.top();
      awake_.pop();
      if (now < clock_[w]) continue;
      clock_[w] = now;
      decide(w, now);
    }
    std::size_t done = 0;
    for (const auto& order : orders_) done += order.size();
    if (done < std::size_t(p_.passes())) return {};
    return std::move(orders_);
  }

 private:
  using Wake = std::pair<double, std::int32_t>;
  struct Choice {
    double ready = kNever;
    std::int32_t chunk = -1;
  };

  void wake(std::int32_t w, double when) { awake_.push({when, w}); }

  double& arrives(std::int32_t kind, std::int32_t chunk, std::int32_t batch) {
    return arrival_[(std::size_t(kind) * n_ + chunk) * m_ + batch];
  }

  // The pass of this kind that can start first; of several that can start now, the one furthest on its way.
  Choice earliest(std::int32_t w, std::int32_t kind, double now) {
    Choice best;
    for (const std::int32_t c : held_[w]) {
      const std::int32_t batch = next_[kind * n_ + c];
      if (batch >= m_) continue;
      if (kind == 0 && used_[w] + p_.memory[c] + entry_need(w, c) > p_.limit[w] * (1 + 1e-9)) continue;
      const double ready = std::max(now, arrives(kind, c, batch));
      const bool later = kind == 0 ? c > best.chunk : c < best.chunk;
      if (ready < best.ready || (ready == best.ready && ready < kNever && later)) best = {ready, c};
    }
    return best;
  }

  // Room that must stay free so that what entered can leave: later chunks of the same worker.
  double entry_need(std::int32_t w, std::int32_t chunk) const {
    double most = 0;
    for (const std::int32_t c : held_[w]) {
      if (c > chunk) most = std::max(most, p_.memory[c]);
    }
    return most;
  }

  std::int32_t pending(std::int32_t chunk) const { return next_[n_ + chunk] - next_[2 * n_ + chunk]; }

  // The chunk with most weight gradients left, and how many the worker has in all.
  std::pair<std::int32_t, std::int32_t> weights(std::int32_t w) const {
    std::int32_t chunk = -1, total = 0;
    for (const std::int32_t c : held_[w]) {
      total += pending(c);
      if (pending(c) > 0 && (chunk < 0 || pending(c) > pending(chunk))) chunk = c;
    }
    return {chunk, total};
  }

  bool blocked(std::int32_t w, double now) {
    for (const std::int32_t c : held_[w]) {
      const std::int32_t batch = next_[c];
      if (batch < m_ && arrives(0, c, batch) <= now &&
          used_[w] + p_.memory[c] + entry_need(w, c) > p_.limit[w] * (1 + 1e-9)) {
        return true;
      }
    }
    return false;
  }

  void decide(std::int32_t w, double now) {
    const Rule& rule = rules_[w];
    Choice f = earliest(w, 0, now);
    const Choice b = earliest(w, 1, now);
    if (ahead_[w] >= rule.most_ahead) f.ready = kNever;
    const auto [chunk, left] = weights(w);
    const bool warm = forwards_[w] < rule.warm_up;
    if (f.ready <= now && (warm || b.ready > now)) return start(w, 0, f.chunk, now);
    if (b.ready <= now && !warm) return start(w, 1, b.chunk, now);
    if (b.ready <= now && f.ready == kNever) return start(w, 1, b.chunk, now);
    const double next = warm ? f.ready : std::min(f.ready, b.ready);
    if (left > 0) {
      const bool gap = next - now >= rule.gap * p_.weight[chunk];
      if (left > rule.reserve || gap || blocked(w, now)) return start(w, 2, chunk, now);
    }
    if (next < kNever) wake(w, next);
    // Otherwise an arrival wakes it.
  }

  void start(std::int32_t w, std::int32_t kind, std::int32_t chunk, double now) {
    const std::int32_t batch = next_[kind * n_ + chunk]++;
    orders_[w].push_back((kind * n_ + chunk) * m_ + batch);
    if (kind == 0) {
      used_[w] += p_.memory[chunk];
      ++ahead_[w];
      ++forwards_[w];
      clock_[w] = now + p_.forward[chunk];
      if (chunk + 1 < n_) send(w, 0, chunk + 1, batch);
      else arrives(1, chunk, batch) = clock_[w];
    } else if (kind == 1) {
      used_[w] -= p_.memory[chunk] - p_.kept[chunk];
      --ahead_[w];
      clock_[w] = now + p_.input[chunk];
      if (chunk > 0) send(w, 1, chunk - 1, batch);
    } else {
      used_[w] -= p_.kept[chunk];
      clock_[w] = now + p_.weight[chunk];
    }
    wake(w, clock_[w]);
  }

  void send(std::int32_t w, std::int32_t kind, std::int32_t chunk, std::int32_t batch) {
    const std::int32_t peer = p_.place[chunk];
    double when = clock_[w];
    if (peer != w) {
      double& link = link_[std::size_t(w) * p_.workers + peer];
      when = link = std::max(link, when) + p_.transfer[w];
    }
    arrives(kind, chunk, batch) = when;
    wake(peer, when);
  }

  const Pipeline& p_;
  const std::vector<Rule>& rules_;
  const std::int32_t m_, n_;
  std::vector<std::int32_t> next_;  // next micro-batch, by kind and chunk
  std::vector<double> arrival_;     // of F and B
  std::vector<double> used_, clock_;
  std::vector<std::int32_t> ahead_, forwards_;
  std::vector<double> link_;
  std::vector<std::vector<std::int32_t>> held_;
  std::priority_queue<Wake, std::vector<Wake>, std::greater<>> awake_;
  Orders orders_;
};

}  // namespace

Orders greedy(const Pipeline& pipeline, const std::vector<Rule>& rules) { return Greedy(pipeline, rules).run(); }

void greedy_search(const Pipeline& pipeline, Found& best, std::int64_t passes, std::uint64_t seed) {
  const std::int32_t p = pipeline.workers;
  Replay replay(pipeline);
  std::vector<Rule> kept(p);
  double value = kNever;
  const auto attempt = [&](const std::vector<Rule>& rules) {
    Orders found = greedy(pipeline, rules);
    passes -= pipeline.passes();
    ++best.tries;
    if (found.empty()) return kNever;
    // A rule may hold a pass back; in order and as early as can be, a worker's first one starts sooner.
    const double span = replay.span(found);
    if (span < best.span * (1 - 1e-12)) {
      best.span = span;
      best.orders = std::move(found);
    }
    return span;
  };
  // A grid of uniform and linear rules first.
  for (const double gap : {1.0, 0.5, 0.0}) {
    for (const double slope : {0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0}) {
      for (const std::int32_t extra : {0, 1, 2, 4}) {
        for (const std::int32_t warm : {0, 1, 2}) {
          std::vector<Rule> rules(p);
          for (std::int32_t w = 0; w < p; ++w) {
            rules[w].reserve = extra + std::int32_t(slope * w);
            rules[w].gap = gap;
            rules[w].warm_up = warm == 0 ? 0 : warm == 1 ? p - w : 2 * (p - w) - 1;
          }
          if (passes < 0) return;
          const double span = attempt(rules);
          if (span < value) {
            value = span;
            kept = rules;
          }
        }
      }
    }
  }
  std::mt19937_64 random(seed);
  const auto draw = [&](std::int32_t below) { return std::int32_t(random() % std::uint64_t(below)); };
  while (passes > 0) {
    std::vector<Rule> rules = kept;
    for (std::int32_t changes = 1 + draw(3); changes > 0; --changes) {
      Rule& rule = rules[draw(p)];
      switch (draw(4)) {
        case 0: rule.reserve = std::max(0, rule.reserve + draw(9) - 4); break;
        case 1: rule.warm_up = std::max(0, rule.warm_up + draw(5) - 2); break;
        case 2: rule.gap = 0.25 * draw(6); break;
        default: rule.most_ahead = draw(3) == 0 ? 1 << 30 : std::min(rule.most_ahead, 2 * p) + draw(5) - 2;
      }
      rule.most_ahead = std::max(rule.most_ahead, 1);
    }
    const double span = attempt(rules);
    if (span <= value) {
      value = span;
      kept = std::move(rules);
    }
  }
}

}  // namespace netwright::plan
