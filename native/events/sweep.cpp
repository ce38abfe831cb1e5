#include <algorithm>
#include <vector>

#include "events/events.hpp"

namespace netwright::events {
namespace {

bool rows_are_sound(std::span<const std::int64_t> start, std::size_t rows, std::size_t items) {
  if (start.size() != rows + 1 || start.front() != 0) return false;
  if (start.back() != static_cast<std::int64_t>(items)) return false;
  return std::is_sorted(start.begin(), start.end());
}

bool all_within(std::span<const std::int32_t> indices, std::size_t count) {
  return std::all_of(indices.begin(), indices.end(),
                     [&](std::int32_t i) { return i >= 0 && static_cast<std::size_t>(i) < count; });
}

bool none_negative(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return v >= 0; });  // false for NaN
}

// One resource with several servers: the one that is free first serves next.
double* earliest(double* free, std::int32_t servers) {
  double* best = free;
  for (std::int32_t s = 1; s < servers; ++s) best = free[s] < *best ? free + s : best;
  return best;
}

}  // namespace

const char* check(const Tasks& tasks) {
  const std::size_t n = tasks.seconds.size();
  if (n > 0x7fffffff) return "more tasks than 2^31 - 1";
  if (tasks.resource.size() != n) return "seconds and resource must have one length";
  if (!rows_are_sound(tasks.wait_start, n, tasks.wait.size())) return "wait_start does not fit wait";
  if (!all_within(tasks.resource, tasks.servers.size())) return "a task is on a resource that is not there";
  if (!all_within(tasks.wait, n)) return "a task waits for one that is not there";
  if (!none_negative(tasks.seconds)) return "a task's seconds are negative or not a number";
  for (const std::int32_t servers : tasks.servers) {
    if (servers < 1 || servers > (1 << 20)) return "a resource needs 1 to 2^20 servers";
  }
  return nullptr;
}

const char* check(const Tasks& tasks, const Transfers& transfers) {
  const std::size_t n = tasks.seconds.size();
  if (const char* problem = check(tasks)) return problem;
  if (transfers.bytes.size() != n || transfers.limit.size() != n) return "bytes and limit: one a task";
  if (!rows_are_sound(transfers.channel_start, n, transfers.channel.size())) {
    return "channel_start does not fit channel";
  }
  if (!all_within(transfers.channel, transfers.capacity.size())) return "a channel is not there";
  if (!none_negative(transfers.bytes)) return "a task's bytes are negative or not a number";
  const auto positive = [](double v) { return v > 0; };
  if (!std::all_of(transfers.limit.begin(), transfers.limit.end(), positive)) return "limit must be > 0";
  if (!std::all_of(transfers.capacity.begin(), transfers.capacity.end(), positive)) {
    return "capacity must be > 0";
  }
  return nullptr;
}

bool sweep(const Tasks& tasks, Times times) {
  const std::size_t resources = tasks.servers.size();
  std::vector<std::size_t> first(resources + 1, 0);
  for (std::size_t r = 0; r < resources; ++r) first[r + 1] = first[r] + tasks.servers[r];
  std::vector<double> free(first.back(), 0.0), issued(resources, 0.0);
  const std::int64_t n = tasks.count();
  const std::int32_t* wait = tasks.wait.data();
  for (std::int64_t t = 0; t < n; ++t) {
    const std::int32_t r = tasks.resource[t];
    double start = issued[r];
    for (std::int64_t i = tasks.wait_start[t]; i < tasks.wait_start[t + 1]; ++i) {
      if (wait[i] >= t) return false;
      start = std::max(start, times.end[wait[i]]);
    }
    double* server = earliest(free.data() + first[r], tasks.servers[r]);
    start = std::max(start, *server);
    times.start[t] = issued[r] = start;
    times.end[t] = *server = start + tasks.seconds[t];
  }
  return true;
}

}  // namespace netwright::events
