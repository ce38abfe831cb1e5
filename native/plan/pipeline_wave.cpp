#include "plan/pipeline_wave.hpp"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "plan/pipeline_replay.hpp"

namespace netwright::plan {
namespace {

constexpr std::int32_t kMostTurns = 12;  // of a wave that starts from what the wave before it waited

bool is_v(const Pipeline& p) {
  const std::int32_t n = p.chunks();
  if (n != 2 * p.workers) return false;
  for (std::int32_t c = 0; c < n; ++c) {
    if (p.place[c] != std::min(c, n - 1 - c)) return false;
  }
  return true;
}

// Legs of the way of a micro-batch: forward down the workers and up again, backward down and up.
enum Leg : std::int32_t { kDown = 0, kUp = 1, kBackDown = 2, kBackUp = 3 };

class Wave {
 public:
  Wave(const Pipeline& pipeline, bool fill_forward, bool fill_gradient, std::vector<double> allowed)
      : p_(pipeline), m_(pipeline.microbatches), n_(pipeline.workers), fill_forward_(fill_forward),
        fill_gradient_(fill_gradient), allowed_(std::move(allowed)), count_(std::size_t(4) * n_, 0),
        end_(std::size_t(4) * n_ * m_, -1.0), clock_(n_, 0.0), used_(n_, 0.0), waited_(n_, 0.0), left_(n_), orders_(n_) {
    most_allowed_ = allowed_.empty() ? -1.0 : *std::ranges::max_element(allowed_);
  }

  // False when it gets stuck: memory too small.
  bool run() {
    if (!warm_up()) return false;
    for (std::int32_t round = 0; round < 2 * m_; ++round) {
      if (!gradients() || !forwards()) return false;
    }
    for (std::int32_t w = 0; w < n_; ++w) {
      while (!left_[w].empty()) weight(w);
    }
    for (const std::int32_t done : count_) {
      if (done != m_) return false;
    }
    return true;
  }

  Orders orders() { return std::move(orders_); }
  const std::vector<double>& waited() const { return waited_; }

 private:
  std::int32_t& count(std::int32_t leg, std::int32_t w) { return count_[leg * n_ + w]; }
  double& end(std::int32_t leg, std::int32_t w, std::int32_t batch) { return end_[(std::size_t(leg) * n_ + w) * m_ + batch]; }
  std::int32_t chunk(std::int32_t leg, std::int32_t w) const { return leg == kDown || leg == kBackUp ? w : 2 * n_ - 1 - w; }
  double room(std::int32_t w) const { return p_.limit[w] * (1 + 1e-9) - used_[w]; }

  // When the next pass of a leg could begin for all that the others do; negative: not known yet.
  double arrival(std::int32_t leg, std::int32_t w) {
    const std::int32_t batch = count(leg, w);
    if (batch >= m_) return -1.0;
    const bool down = leg == kDown || leg == kBackDown;
    const std::int32_t from = down ? w - 1 : w + 1;
    if (from >= 0 && from < n_) {
      const double done = end(leg, from, batch);
      return done < 0 ? -1.0 : done + p_.transfer[from];
    }
    return leg == kDown ? 0.0 : end(leg - 1, w, batch);  // a turn
  }

  bool put(std::int32_t leg, std::int32_t w) {
    const std::int32_t batch = count(leg, w), c = chunk(leg, w);
    const double ready = arrival(leg, w);
    if (batch >= m_ || ready < 0 || (leg == kBackDown && end(kUp, w, batch) < 0)) return false;
    if (leg == kBackUp && (end(kDown, w, batch) < 0)) return false;
    const bool forward = leg <= kUp;
    if (forward && p_.memory[c] > room(w)) return false;
    const double start = std::max(clock_[w], ready);
    if (!orders_[w].empty()) waited_[w] += start - clock_[w];
    clock_[w] = start + (forward ? p_.forward[c] : p_.input[c]);
    end(leg, w, batch) = clock_[w];
    used_[w] += forward ? p_.memory[c] : p_.kept[c] - p_.memory[c];
    if (!forward) left_[w].push_back({c, batch});
    orders_[w].push_back(((forward ? 0 : 1) * p_.chunks() + c) * m_ + batch);
    ++count(leg, w);
    return true;
  }

  void weight(std::int32_t w) {
    const auto [c, batch] = left_[w].front();
    left_[w].pop_front();
    clock_[w] += p_.weight[c];
    used_[w] -= p_.kept[c];
    orders_[w].push_back((2 * p_.chunks() + c) * m_ + batch);
  }

  double next_weight(std::int32_t w) const { return p_.weight[left_[w].front().first]; }

  // How long a worker may have waited without being the one that waits most.
  double may_wait(std::int32_t w) const {
    double most = *std::ranges::max_element(waited_);
    if (!allowed_.empty()) most = std::max(most, most_allowed_ - allowed_[w]);
    return most;
  }

  bool warm_up() {
    for (std::int32_t w = 0; w < n_; ++w) {
      if (!put(kDown, w)) return false;
    }
    for (std::int32_t w = n_ - 1; w >= 0; --w) {
      if (w < n_ - 1) {
        const double ready = arrival(kUp, w), each = p_.memory[w];
        while (count(kDown, w) < m_ && each * (2 + 2 * w) <= room(w) && clock_[w] + p_.forward[w] <= ready) {
          for (std::int32_t v = 0; v <= w; ++v) {
            if (!put(kDown, v)) return false;
          }
        }
      }
      if (!put(kUp, w)) return false;
    }
    bool up = false;
    for (std::int32_t w = 1; w < n_; ++w) {
      const auto all = [&](std::int32_t v) { return count(kDown, v) + count(kUp, v); };
      while (all(w) < all(w - 1) || (count(kUp, w) <= count(kUp, w - 1) && count(kUp, w - 1) < m_)) {
        bool any = false;
        for (std::int32_t v = n_ - 1; v >= w; --v) any = put(up ? kUp : kDown, v) || any;
        up = !up;
        if (!any && ++stuck_ > 2) return true;
        if (any) stuck_ = 0;
      }
    }
    return true;
  }

  // Weight gradients in the time that a worker would wait for a pass.
  void fill(std::int32_t w, double ready, bool short_too) {
    while (!left_[w].empty() && ready >= clock_[w] + next_weight(w)) weight(w);
    if (short_too && !left_[w].empty() && ready - clock_[w] > may_wait(w) - waited_[w]) weight(w);
  }

  bool gradients() {
    std::vector<std::int32_t> first, second;
    for (std::int32_t w = 0; w < n_; ++w) {
      const bool turn = count(kBackUp, w) >= count(kBackDown, w);
      const bool waits = arrival(kBackUp, w) < 0 && count(kBackDown, w) < m_;  // else it comes in this round
      (turn || waits ? first : second).push_back(w);
    }
    bool any = false;
    for (auto w = second.rbegin(); w != second.rend(); ++w) any = gradient(kBackUp, *w) || any;
    for (const std::int32_t w : first) any = gradient(kBackDown, w) || any;
    idle_ = any ? 0 : idle_ + 1;
    return idle_ < 4;
  }

  bool gradient(std::int32_t leg, std::int32_t w) {
    const double ready = arrival(leg, w);
    if (ready < 0) return false;
    fill(w, ready, leg == kBackUp || fill_gradient_);
    return put(leg, w);
  }

  bool forwards() {
    for (std::int32_t w = 0; w < n_; ++w) {
      if (count(kUp, w) >= m_) continue;
      std::int32_t leg = kUp;
      if (count(kUp, w) >= count(kDown, w)) leg = kDown;
      else if (arrival(kUp, w) < 0) leg = kDown;
      const double ready = arrival(leg, w);
      if (ready < 0) continue;
      while (p_.memory[chunk(leg, w)] > room(w) && !left_[w].empty()) weight(w);
      fill(w, ready, fill_forward_);
      put(leg, w);
    }
    return true;
  }

  const Pipeline& p_;
  const std::int32_t m_, n_;
  const bool fill_forward_, fill_gradient_;
  const std::vector<double> allowed_;
  double most_allowed_ = -1.0;
  std::vector<std::int32_t> count_;
  std::vector<double> end_, clock_, used_, waited_;
  std::vector<std::deque<std::pair<std::int32_t, std::int32_t>>> left_;
  Orders orders_;
  std::int32_t stuck_ = 0, idle_ = 0;
};

}  // namespace

void wave_search(const Pipeline& pipeline, Found& best) {
  if (!is_v(pipeline)) return;
  Replay replay(pipeline);
  for (const bool fill_forward : {true, false}) {
    for (const bool fill_gradient : {true, false}) {
      std::vector<double> waited;
      double least = Replay::never();
      for (std::int32_t turn = 0; turn < kMostTurns; ++turn) {
        Wave wave(pipeline, fill_forward, fill_gradient, waited);
        ++best.tries;
        if (!wave.run()) break;
        const double most = *std::ranges::max_element(wave.waited());
        waited = wave.waited();
        Orders orders = wave.orders();
        const double span = replay.span(orders);
        if (span < best.span * (1 - 1e-12)) {
          best.span = span;
          best.orders = std::move(orders);
        }
        if (most >= least) break;
        least = most;
      }
    }
  }
}

}  // namespace netwright::plan
