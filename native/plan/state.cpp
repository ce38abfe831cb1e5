#include "plan/state.hpp"

#include <algorithm>

namespace netwright::plan {

Rules::Rules(const Flow& flow_)
    : flow(flow_), tasks(static_cast<std::int32_t>(flow_.before.size())), words((tasks + 63) / 64) {
  next.resize(tasks);
  before_.assign(tasks, Bits(words));
  touch_.assign(flow.size.size(), Bits(words));
  for (std::int32_t t = 0; t < tasks; ++t) {
    for (const std::int32_t p : flow.before[t]) {
      if (!has(before_[t], p)) next[p].push_back(t);
      add(before_[t], p);
    }
    for (const std::int32_t b : flow.touched[t]) add(touch_[b], t);
  }
}

State Rules::start() const {
  State state{Bits(words), 0, 0, 0};
  for (std::size_t b = 0; b < flow.size.size(); ++b) {
    if (flow.from_start[b]) state.live += flow.size[b];
  }
  state.peak = state.live;
  return state;
}

bool Rules::ready(const State& state, std::int32_t task) const {
  if (has(state.done, task)) return false;
  for (std::size_t w = 0; w < words; ++w) {
    if (before_[task][w] & ~state.done[w]) return false;
  }
  return true;
}

bool Rules::unborn(const State& state, std::int32_t buffer) const {
  if (flow.from_start[buffer]) return false;
  for (std::size_t w = 0; w < words; ++w) {
    if (touch_[buffer][w] & state.done[w]) return false;
  }
  return true;
}

bool Rules::last_touch(const State& state, std::int32_t buffer, std::int32_t task) const {
  if (flow.to_end[buffer]) return false;
  for (std::size_t w = 0; w < words; ++w) {
    std::uint64_t left = touch_[buffer][w] & ~state.done[w];
    if (w == static_cast<std::size_t>(task >> 6)) left &= ~(std::uint64_t{1} << (task & 63));
    if (left) return false;
  }
  return true;
}

Move Rules::move(const State& state, std::int32_t task) const {
  Move result{state.live, state.live};
  for (const std::int32_t b : flow.touched[task]) {
    if (unborn(state, b)) {
      result.during += flow.size[b];
      result.after += flow.size[b];
    }
    if (last_touch(state, b, task)) result.after -= flow.size[b];
  }
  std::int32_t saved = -1;  // pairs of one target stand together; one of them is enough
  for (const Flow::Reuse& pair : flow.in_place[task]) {
    if (pair.target == saved || !unborn(state, pair.target)) continue;
    if (unborn(state, pair.source) || !last_touch(state, pair.source, task)) continue;
    result.during -= flow.size[pair.target];
    saved = pair.target;
  }
  return result;
}

void Rules::apply(State& state, std::int32_t task, const Move& move) const {
  add(state.done, task);
  ++state.count;
  state.live = move.after;
  state.peak = std::max({state.peak, move.during, move.after});
}

std::int64_t Rules::bound() const {
  // Around task t: what it touches, and what an ancestor touches and a descendant will touch.
  std::vector<Bits> up(tasks, Bits(words)), down(tasks, Bits(words));
  for (std::int32_t t = 0; t < tasks; ++t) {
    add(up[t], t);
    for (const std::int32_t p : flow.before[t]) {
      for (std::size_t w = 0; w < words; ++w) up[t][w] |= up[p][w];
    }
  }
  for (std::int32_t t = tasks - 1; t >= 0; --t) {
    add(down[t], t);
    for (const std::int32_t s : next[t]) {
      for (std::size_t w = 0; w < words; ++w) down[t][w] |= down[s][w];
    }
  }
  const auto meets = [&](const Bits& a, const Bits& b) {
    for (std::size_t w = 0; w < words; ++w) {
      if (a[w] & b[w]) return true;
    }
    return false;
  };
  std::int64_t result = start().live;
  for (std::int32_t t = 0; t < tasks; ++t) {
    std::int64_t alive = 0;
    for (std::size_t b = 0; b < flow.size.size(); ++b) {
      const bool born = flow.from_start[b] || meets(touch_[b], up[t]);
      const bool needed = flow.to_end[b] || meets(touch_[b], down[t]);
      if (born && needed) alive += flow.size[b];
    }
    std::int32_t saved = -1;
    for (const Flow::Reuse& pair : flow.in_place[t]) {
      if (pair.target != saved) alive -= flow.size[pair.target];
      saved = pair.target;
    }
    result = std::max(result, alive);
  }
  return result;
}

}  // namespace netwright::plan
