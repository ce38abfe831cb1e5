// Discrete events: tasks on resources with servers, dependencies and shared channels.
//
// Every resource issues its tasks in the order of their index: a task starts when the task before it on
// that resource has started, one of its servers is free and all tasks that it waits for have ended.
#pragma once

#include <cstdint>
#include <span>

namespace netwright::events {

struct Tasks {
  std::span<const double> seconds;           // on its server, at least
  std::span<const std::int32_t> resource;
  std::span<const std::int64_t> wait_start;  // task t waits for wait[wait_start[t] .. wait_start[t + 1])
  std::span<const std::int32_t> wait;
  std::span<const std::int32_t> servers;     // of each resource

  std::int64_t count() const { return static_cast<std::int64_t>(seconds.size()); }
};

// What tasks move besides: `bytes` over all the channels on the task's path at once. Channels share
// their capacity max-min fairly among the tasks on them; no task goes faster than its own limit. A task
// ends when its seconds have passed and its bytes have arrived.
struct Transfers {
  std::span<const double> bytes;                 // of each task
  std::span<const double> limit;                 // of each task, bytes a second
  std::span<const std::int64_t> channel_start;   // task t uses channel[channel_start[t] .. )
  std::span<const std::int32_t> channel;
  std::span<const double> capacity;              // of each channel, bytes a second
};

struct Times {
  std::span<double> start, end;  // of each task, seconds
};

// nullptr, or what is wrong with the input. Checked before anything runs.
const char* check(const Tasks& tasks);
const char* check(const Tasks& tasks, const Transfers& transfers);

// One pass in index order; every wait must point backwards. No heap, no clock: > 10^7 tasks a second.
// False: a task waits for a later one, which needs `run`.
bool sweep(const Tasks& tasks, Times times);

// Event by event. Returns the number of tasks that ended: fewer than all is a deadlock.
std::int64_t run(const Tasks& tasks, const Transfers& transfers, Times times);

// Sorts changes by memory, then time, releases first, and sums them: `used` after each change in the
// order of `order`; `peak` of each memory.
void occupancy(std::span<const double> time, std::span<const std::int32_t> memory,
               std::span<const std::int64_t> change, std::span<std::int64_t> order,
               std::span<std::int64_t> used, std::span<std::int64_t> peak);

}  // namespace netwright::events
