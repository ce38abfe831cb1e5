// Least peak over all orders: a bottleneck shortest path over sets of finished tasks. The states are
// taken in order of their peak, so the first complete one is optimal, and the peak of the state at
// hand is a lower bound at any time. Tasks (and runs of tasks) that do not raise the peak and leave no
// more bytes alive are done at once: moving them first in any completion never makes it worse.
#include "plan/order.hpp"

#include <algorithm>
#include <limits>
#include <queue>
#include <unordered_map>

#include "plan/state.hpp"

namespace netwright::plan {
namespace {

constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
constexpr std::int32_t kLongestRun = 64;
constexpr std::size_t kBeamWidth = 16;
constexpr std::int64_t kBeamShare = 4;  // of the limit on states goes to the wide beam

struct Hash {
  std::size_t operator()(const Bits& bits) const {
    std::uint64_t h = 0x9e3779b97f4a7c15u;
    for (const std::uint64_t word : bits) {
      h ^= word + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
      h *= 0xff51afd7ed558ccdu;
      h ^= h >> 32;
    }
    return h;
  }
};

// A state and how it was reached.
struct Node {
  State state;
  std::int32_t parent;
  std::vector<std::int32_t> steps;
};

// A run of tasks from `task` on, each the only ready successor of the one before, that ends with no
// more bytes alive than it began, its first such end. Empty: there is none within `peak`.
std::vector<std::int32_t> free_run(const Rules& rules, const State& from, std::int32_t task,
                                   std::int64_t peak) {
  const Move first = rules.move(from, task);
  if (first.during > peak) return {};
  if (first.after <= from.live) return {task};
  State state = from;
  std::vector<std::int32_t> run;
  Move move = first;
  while (static_cast<std::int32_t>(run.size()) < kLongestRun) {
    rules.apply(state, task, move);
    run.push_back(task);
    if (state.live <= from.live) return run;
    std::int32_t follower = -1;
    for (const std::int32_t s : rules.next[task]) {
      if (!rules.ready(state, s)) continue;
      if (follower >= 0) return {};
      follower = s;
    }
    if (follower < 0) return {};
    task = follower;
    move = rules.move(state, task);
    if (move.during > peak) return {};
  }
  return {};
}

void advance(const Rules& rules, Node& node, std::int32_t task) {
  rules.apply(node.state, task, rules.move(node.state, task));
  node.steps.push_back(task);
}

// Does everything that costs nothing.
void close(const Rules& rules, Node& node) {
  for (bool again = true; again;) {
    again = false;
    for (std::int32_t t = 0; t < rules.tasks; ++t) {
      if (!rules.ready(node.state, t)) continue;
      const std::vector<std::int32_t> run = free_run(rules, node.state, t, node.state.peak);
      for (const std::int32_t step : run) advance(rules, node, step);
      again = again || !run.empty();
    }
  }
}

Node root(const Rules& rules, std::int64_t bound) {
  Node node{rules.start(), -1, {}};
  node.state.peak = std::max(node.state.peak, bound);  // no order is lower, so up to it all is free
  close(rules, node);
  return node;
}

std::vector<std::int32_t> trace(const std::vector<Node>& nodes, std::int32_t last) {
  std::vector<std::int32_t> order;
  for (std::int32_t i = last; i >= 0; i = nodes[i].parent) {
    order.insert(order.end(), nodes[i].steps.rbegin(), nodes[i].steps.rend());
  }
  std::reverse(order.begin(), order.end());
  return order;
}

// Keeps the few best states of each round: least peak, then fewest bytes alive. Empty: gave up.
std::vector<std::int32_t> beam(const Rules& rules, std::int64_t bound, std::size_t width,
                               std::int64_t most_nodes) {
  std::vector<Node> nodes = {root(rules, bound)};
  std::vector<std::int32_t> front = {0};
  while (nodes[front[0]].state.count < rules.tasks) {
    const std::size_t first = nodes.size();
    if (static_cast<std::int64_t>(first) > most_nodes) return {};
    std::unordered_map<Bits, std::int32_t, Hash> seen;
    for (const std::int32_t f : front) {
      if (nodes[f].state.count == rules.tasks) continue;
      for (std::int32_t t = 0; t < rules.tasks; ++t) {
        if (!rules.ready(nodes[f].state, t)) continue;
        Node child{nodes[f].state, f, {}};
        advance(rules, child, t);
        close(rules, child);
        const auto [at, fresh] = seen.emplace(child.state.done, static_cast<std::int32_t>(nodes.size()));
        if (fresh) {
          nodes.push_back(std::move(child));
        } else if (child.state.peak < nodes[at->second].state.peak) {
          nodes[at->second] = std::move(child);
        }
      }
    }
    std::vector<std::int32_t> fresh;
    for (std::size_t i = first; i < nodes.size(); ++i) fresh.push_back(static_cast<std::int32_t>(i));
    const auto better = [&](std::int32_t a, std::int32_t b) {
      const State &x = nodes[a].state, &y = nodes[b].state;
      if (x.peak != y.peak) return x.peak < y.peak;
      if ((x.count == rules.tasks) != (y.count == rules.tasks)) return x.count == rules.tasks;
      if (x.live != y.live) return x.live < y.live;
      return x.count != y.count ? x.count > y.count : a < b;
    };
    std::sort(fresh.begin(), fresh.end(), better);
    if (fresh.size() > width) fresh.resize(width);
    front = std::move(fresh);
  }
  return trace(nodes, front[0]);
}

struct Entry {
  std::int64_t peak;
  std::int32_t count, node;
  // The lowest peak first; among equals the most advanced, to reach an end soon.
  bool operator<(const Entry& other) const {
    if (peak != other.peak) return peak > other.peak;
    return count != other.count ? count < other.count : node > other.node;
  }
};

// Improves `best` or proves it, within the limit on states.
void exact(const Rules& rules, const Limits& limits, Order& best) {
  std::vector<Node> nodes = {root(rules, best.bound)};
  std::unordered_map<Bits, std::int64_t, Hash> known = {{nodes[0].state.done, nodes[0].state.peak}};
  std::priority_queue<Entry> queue;
  queue.push({nodes[0].state.peak, nodes[0].state.count, 0});
  while (!queue.empty()) {
    const Entry top = queue.top();
    queue.pop();
    best.bound = std::max(best.bound, top.peak);
    if (top.count == rules.tasks) {
      best.task = trace(nodes, top.node);
      best.peak = top.peak;
      return;
    }
    if (known.at(nodes[top.node].state.done) < top.peak) continue;  // reached better since
    for (std::int32_t t = 0; t < rules.tasks; ++t) {
      if (!rules.ready(nodes[top.node].state, t)) continue;
      if (++best.nodes > limits.nodes) return;
      Node child{nodes[top.node].state, top.node, {}};
      advance(rules, child, t);
      if (child.state.peak >= best.peak) continue;
      close(rules, child);
      const auto [at, fresh] = known.emplace(child.state.done, child.state.peak);
      if (!fresh && at->second <= child.state.peak) continue;
      at->second = child.state.peak;
      queue.push({child.state.peak, child.state.count, static_cast<std::int32_t>(nodes.size())});
      nodes.push_back(std::move(child));
    }
  }
  best.bound = best.peak;  // nothing below the best known order is left
}

}  // namespace

std::int64_t peak_of(const Flow& flow, const std::vector<std::int32_t>& order) {
  const Rules rules(flow);
  State state = rules.start();
  for (const std::int32_t t : order) rules.apply(state, t, rules.move(state, t));
  return state.peak;
}

Order best_order(const Flow& flow, const Limits& limits) {
  const Rules rules(flow);
  Order best{{}, 0, rules.bound(), 0, false};
  for (std::int32_t t = 0; t < rules.tasks; ++t) best.task.push_back(t);
  best.peak = peak_of(flow, best.task);
  for (const std::size_t width : {std::size_t{1}, kBeamWidth}) {
    if (best.peak == best.bound) break;  // the order given is kept when it is optimal
    const std::int64_t most = width == 1 ? kAll : limits.nodes / kBeamShare;
    std::vector<std::int32_t> other = beam(rules, best.bound, width, most);
    const std::int64_t peak = other.empty() ? kAll : peak_of(flow, other);
    if (peak >= best.peak) continue;
    best.task = std::move(other);
    best.peak = peak;
  }
  if (best.peak > best.bound) exact(rules, limits, best);
  best.proved = best.peak == best.bound;
  return best;
}

}  // namespace netwright::plan
