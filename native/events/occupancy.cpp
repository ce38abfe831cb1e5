#include <algorithm>
#include <numeric>

#include "events/events.hpp"

namespace netwright::events {

void occupancy(std::span<const double> time, std::span<const std::int32_t> memory,
               std::span<const std::int64_t> change, std::span<std::int64_t> order,
               std::span<std::int64_t> used, std::span<std::int64_t> peak) {
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    if (memory[a] != memory[b]) return memory[a] < memory[b];
    if (time[a] != time[b]) return time[a] < time[b];
    return change[a] != change[b] ? change[a] < change[b] : a < b;
  });
  std::fill(peak.begin(), peak.end(), 0);
  std::int64_t level = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || memory[order[i]] != memory[order[i - 1]]) level = 0;
    level += change[order[i]];
    used[i] = level;
    peak[memory[order[i]]] = std::max(peak[memory[order[i]]], level);
  }
}

}  // namespace netwright::events
