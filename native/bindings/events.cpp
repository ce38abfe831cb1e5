#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>

#include "events/events.hpp"

namespace nb = nanobind;

namespace netwright::bindings {
namespace {

template <typename T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Out = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <typename Array>
auto as_span(const Array& array) {
  return std::span(array.data(), array.size());
}

events::Tasks make_tasks(const In<double>& seconds, const In<std::int32_t>& resource,
                         const In<std::int64_t>& wait_start, const In<std::int32_t>& wait,
                         const In<std::int32_t>& servers) {
  return {as_span(seconds), as_span(resource), as_span(wait_start), as_span(wait), as_span(servers)};
}

void refuse(const char* problem) {
  if (problem) throw std::invalid_argument(problem);
}

void check_times(const events::Tasks& tasks, const Out<double>& start, const Out<double>& end) {
  if (start.size() != tasks.seconds.size() || end.size() != start.size()) refuse("start and end: one a task");
}

bool sweep(const In<double>& seconds, const In<std::int32_t>& resource, const In<std::int64_t>& wait_start,
           const In<std::int32_t>& wait, const In<std::int32_t>& servers, Out<double> start, Out<double> end) {
  const events::Tasks tasks = make_tasks(seconds, resource, wait_start, wait, servers);
  refuse(events::check(tasks));
  check_times(tasks, start, end);
  nb::gil_scoped_release release;
  return events::sweep(tasks, {as_span(start), as_span(end)});
}

std::int64_t run(const In<double>& seconds, const In<std::int32_t>& resource,
                 const In<std::int64_t>& wait_start, const In<std::int32_t>& wait,
                 const In<std::int32_t>& servers, const In<double>& bytes, const In<double>& limit,
                 const In<std::int64_t>& channel_start, const In<std::int32_t>& channel,
                 const In<double>& capacity, Out<double> start, Out<double> end) {
  const events::Tasks tasks = make_tasks(seconds, resource, wait_start, wait, servers);
  const events::Transfers transfers = {as_span(bytes), as_span(limit), as_span(channel_start), as_span(channel),
                                       as_span(capacity)};
  refuse(events::check(tasks, transfers));
  check_times(tasks, start, end);
  nb::gil_scoped_release release;
  return events::run(tasks, transfers, {as_span(start), as_span(end)});
}

void occupancy(const In<double>& time, const In<std::int32_t>& memory, const In<std::int64_t>& change,
               Out<std::int64_t> order, Out<std::int64_t> used, Out<std::int64_t> peak) {
  const std::size_t n = time.size();
  if (memory.size() != n || change.size() != n || order.size() != n || used.size() != n) {
    refuse("time, memory, change, order and used must have one length");
  }
  for (const std::int32_t m : as_span(memory)) {
    if (m < 0 || static_cast<std::size_t>(m) >= peak.size()) refuse("a memory is not there");
  }
  for (const double t : as_span(time)) {
    if (!(t >= 0)) refuse("a time is negative or not a number");
  }
  nb::gil_scoped_release release;
  events::occupancy(as_span(time), as_span(memory), as_span(change), as_span(order), as_span(used),
                    as_span(peak));
}

}  // namespace

void add_events(nb::module_& module) {
  module.def("events_sweep", &sweep, nb::arg("seconds"), nb::arg("resource"), nb::arg("wait_start"),
             nb::arg("wait"), nb::arg("servers"), nb::arg("start"), nb::arg("end"),
             "One pass in order; false when a task waits for a later one.");
  module.def("events_run", &run, nb::arg("seconds"), nb::arg("resource"), nb::arg("wait_start"), nb::arg("wait"),
             nb::arg("servers"), nb::arg("bytes"), nb::arg("limit"), nb::arg("channel_start"),
             nb::arg("channel"), nb::arg("capacity"), nb::arg("start"), nb::arg("end"),
             "Event by event, with shared channels; the number of tasks that ended.");
  module.def("events_occupancy", &occupancy, nb::arg("time"), nb::arg("memory"), nb::arg("change"),
             nb::arg("order"), nb::arg("used"), nb::arg("peak"), "Running sums of changes by memory and time.");
}

}  // namespace netwright::bindings
