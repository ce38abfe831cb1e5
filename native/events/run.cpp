#include <algorithm>
#include <limits>
#include <numeric>
#include <queue>
#include <utility>
#include <vector>

#include "events/events.hpp"
#include "events/fair.hpp"

namespace netwright::events {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

class Clock {
 public:
  Clock(const Tasks& tasks, const Transfers& transfers, Times times)
      : tasks_(tasks), transfers_(transfers), times_(times), share_(transfers) {
    index_waits();
    index_resources();
  }

  std::int64_t run() {
    for (std::size_t r = 0; r < tasks_.servers.size(); ++r) issue(static_cast<std::int32_t>(r));
    while (!timers_.empty() || !flow_.empty()) {
      if (changed_) share_.rates(flow_, rate_);
      changed_ = false;
      step();
    }
    return ended_;
  }

 private:
  using Timer = std::pair<double, std::int32_t>;

  void index_waits() {
    const std::int64_t n = tasks_.count();
    missing_.resize(n);
    waiter_start_.assign(n + 1, 0);
    for (const std::int32_t w : tasks_.wait) ++waiter_start_[w + 1];
    std::partial_sum(waiter_start_.begin(), waiter_start_.end(), waiter_start_.begin());
    waiter_.resize(tasks_.wait.size());
    std::vector<std::int64_t> at(waiter_start_.begin(), waiter_start_.end() - 1);
    for (std::int64_t t = 0; t < n; ++t) {
      missing_[t] = static_cast<std::int32_t>(tasks_.wait_start[t + 1] - tasks_.wait_start[t]);
      for (std::int64_t i = tasks_.wait_start[t]; i < tasks_.wait_start[t + 1]; ++i) {
        waiter_[at[tasks_.wait[i]]++] = static_cast<std::int32_t>(t);
      }
    }
    pending_.assign(n, 2);  // its seconds and its bytes
    left_.assign(transfers_.bytes.begin(), transfers_.bytes.end());
  }

  void index_resources() {
    const std::size_t resources = tasks_.servers.size();
    queue_.resize(resources);
    for (std::int64_t t = 0; t < tasks_.count(); ++t) {
      queue_[tasks_.resource[t]].push_back(static_cast<std::int32_t>(t));
    }
    head_.assign(resources, 0);
    free_.assign(tasks_.servers.begin(), tasks_.servers.end());
  }

  // Starts what the resource may start now, in order.
  void issue(std::int32_t r) {
    while (free_[r] > 0 && head_[r] < queue_[r].size()) {
      const std::int32_t t = queue_[r][head_[r]];
      if (missing_[t] > 0) return;
      ++head_[r];
      --free_[r];
      times_.start[t] = now_;
      timers_.push({now_ + tasks_.seconds[t], t});
      if (left_[t] > 0) {
        flow_.push_back(t);
        changed_ = true;
      } else {
        --pending_[t];
      }
    }
  }

  void step() {
    double next = timers_.empty() ? kNever : timers_.top().first;
    std::size_t first_done = flow_.size();
    for (std::size_t i = 0; i < flow_.size(); ++i) {
      const double arrival = now_ + left_[flow_[i]] / rate_[i];
      if (arrival < next) {
        next = arrival;
        first_done = i;
      }
    }
    const double passed = next - now_;
    now_ = next;
    finished_.clear();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < flow_.size(); ++i) {
      const std::int32_t t = flow_[i];
      left_[t] -= rate_[i] * passed;
      if (i == first_done || left_[t] <= 1e-12 * transfers_.bytes[t]) {
        finished_.push_back(t);
        changed_ = true;
      } else {
        flow_[kept] = t;
        rate_[kept++] = rate_[i];
      }
    }
    flow_.resize(kept);
    rate_.resize(kept);
    while (!timers_.empty() && timers_.top().first <= now_) {
      finished_.push_back(timers_.top().second);
      timers_.pop();
    }
    settle();
  }

  // Ends tasks of which both halves are over; only then lets anything start.
  void settle() {
    touched_.clear();
    for (const std::int32_t t : finished_) {
      if (--pending_[t] > 0) continue;
      times_.end[t] = now_;
      ++ended_;
      ++free_[tasks_.resource[t]];
      touched_.push_back(tasks_.resource[t]);
      for (std::int64_t i = waiter_start_[t]; i < waiter_start_[t + 1]; ++i) {
        if (--missing_[waiter_[i]] == 0) touched_.push_back(tasks_.resource[waiter_[i]]);
      }
    }
    for (const std::int32_t r : touched_) issue(r);
  }

  const Tasks& tasks_;
  const Transfers& transfers_;
  const Times times_;
  FairShare share_;
  double now_ = 0;
  std::int64_t ended_ = 0;
  bool changed_ = false;
  std::vector<std::int32_t> missing_, waiter_, flow_, finished_, touched_, free_;
  std::vector<std::int64_t> waiter_start_;
  std::vector<char> pending_;
  std::vector<double> left_, rate_;
  std::vector<std::vector<std::int32_t>> queue_;
  std::vector<std::size_t> head_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
};

}  // namespace

std::int64_t run(const Tasks& tasks, const Transfers& transfers, Times times) {
  return Clock(tasks, transfers, times).run();
}

}  // namespace netwright::events
