#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "plan/allocate.hpp"
#include "plan/order.hpp"

namespace nb = nanobind;

namespace netwright::bindings {
namespace {

using Numbers = std::vector<std::int64_t>;
constexpr std::int64_t kMost = std::int64_t{1} << 52;  // sums of up to 2^10 such numbers stay exact

plan::Buffers make_buffers(Numbers lower, Numbers upper, Numbers size, Numbers alignment, Numbers fixed) {
  const std::size_t n = size.size();
  if (lower.size() != n || upper.size() != n || alignment.size() != n || fixed.size() != n) {
    throw std::invalid_argument("lower, upper, size, alignment and fixed must have one length");
  }
  for (std::size_t b = 0; b < n; ++b) {
    if (lower[b] >= upper[b] || size[b] < 1 || alignment[b] < 1 || fixed[b] < -1 || lower[b] < 0 ||
        upper[b] > kMost || size[b] > kMost / std::int64_t(n) || alignment[b] > kMost / std::int64_t(n) ||
        fixed[b] > kMost || (fixed[b] > 0 && fixed[b] % alignment[b] != 0)) {
      throw std::invalid_argument("buffer " + std::to_string(b) +
                                  ": needs 0 <= lower < upper, size >= 1, alignment >= 1, fixed -1 or aligned");
    }
  }
  return {std::move(lower), std::move(upper), std::move(size), std::move(alignment), std::move(fixed)};
}

std::tuple<int, Numbers, std::int64_t> fit(Numbers lower, Numbers upper, Numbers size, Numbers alignment,
                                           Numbers fixed, std::int64_t capacity, std::int64_t nodes,
                                           double seconds) {
  const plan::Buffers buffers = make_buffers(lower, upper, size, alignment, fixed);
  nb::gil_scoped_release release;
  plan::Fit result = plan::fit(buffers, capacity, {nodes, seconds});
  return {static_cast<int>(result.outcome), std::move(result.offset), result.nodes};
}

std::tuple<Numbers, std::int64_t, std::int64_t, bool, std::int64_t> minimise(
    Numbers lower, Numbers upper, Numbers size, Numbers alignment, Numbers fixed, std::int64_t nodes,
    double seconds) {
  const plan::Buffers buffers = make_buffers(lower, upper, size, alignment, fixed);
  nb::gil_scoped_release release;
  plan::Packing result = plan::minimise(buffers, {nodes, seconds});
  return {std::move(result.offset), result.height, result.bound, result.proved, result.nodes};
}

using Lists = std::vector<std::vector<std::int32_t>>;
using Pairs = std::vector<std::vector<std::pair<std::int32_t, std::int32_t>>>;

void check_indices(const std::vector<std::int32_t>& indices, std::size_t below, const char* what) {
  for (const std::int32_t i : indices) {
    if (i < 0 || static_cast<std::size_t>(i) >= below) throw std::invalid_argument(what);
  }
}

plan::Flow make_flow(Lists before, Lists touched, Numbers size, const std::vector<bool>& from_start,
                     const std::vector<bool>& to_end, const Pairs& in_place) {
  const std::size_t tasks = before.size(), buffers = size.size();
  if (touched.size() != tasks || in_place.size() != tasks || from_start.size() != buffers ||
      to_end.size() != buffers || tasks > (1u << 20)) {
    throw std::invalid_argument("one list a task and one flag a buffer are needed");
  }
  plan::Flow flow{std::move(before), std::move(touched), std::move(size), {}, {}, {}};
  flow.from_start.assign(from_start.begin(), from_start.end());
  flow.to_end.assign(to_end.begin(), to_end.end());
  flow.in_place.resize(tasks);
  for (const std::int64_t bytes : flow.size) {
    if (bytes < 0 || bytes > kMost / std::int64_t(buffers)) throw std::invalid_argument("a buffer's size is off");
  }
  for (std::size_t t = 0; t < tasks; ++t) {
    check_indices(flow.before[t], t, "a task may only wait for tasks listed before it");
    check_indices(flow.touched[t], buffers, "a task touches a buffer that does not exist");
    std::set<std::int32_t> once(flow.touched[t].begin(), flow.touched[t].end());
    flow.touched[t].assign(once.begin(), once.end());
    for (const auto& [source, target] : in_place[t]) {
      check_indices({source, target}, buffers, "an in-place pair names a buffer that does not exist");
      if (source == target || flow.size[source] != flow.size[target]) {
        throw std::invalid_argument("an in-place pair needs two buffers of one size");
      }
      flow.in_place[t].push_back({source, target});
    }
  }
  return flow;
}

std::tuple<std::vector<std::int32_t>, std::int64_t, std::int64_t, bool, std::int64_t> best_order(
    Lists before, Lists touched, Numbers size, const std::vector<bool>& from_start,
    const std::vector<bool>& to_end, const Pairs& in_place, std::int64_t nodes) {
  const plan::Flow flow = make_flow(std::move(before), std::move(touched), std::move(size), from_start, to_end,
                                    in_place);
  nb::gil_scoped_release release;
  plan::Order result = plan::best_order(flow, {nodes, 0});
  return {std::move(result.task), result.peak, result.bound, result.proved, result.nodes};
}

}  // namespace

void add_plan(nb::module_& module) {
  module.def("allocation_fit", &fit, nb::arg("lower"), nb::arg("upper"), nb::arg("size"), nb::arg("alignment"),
             nb::arg("fixed"), nb::arg("capacity"), nb::arg("nodes"), nb::arg("seconds"),
             "Complete search: (0 found, 1 impossible, 2 stopped; offsets; nodes).");
  module.def("allocation_minimise", &minimise, nb::arg("lower"), nb::arg("upper"), nb::arg("size"),
             nb::arg("alignment"), nb::arg("fixed"), nb::arg("nodes"), nb::arg("seconds"),
             "Lowest packing found: (offsets, height, bound, proved, nodes); no offsets when fixed ones collide.");
  module.def("best_order", &best_order, nb::arg("before"), nb::arg("touched"), nb::arg("size"),
             nb::arg("from_start"), nb::arg("to_end"), nb::arg("in_place"), nb::arg("nodes"),
             "Order of least peak: (tasks, peak bytes, bound, proved, states).");
}

}  // namespace netwright::bindings
