#include <nanobind/nanobind.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include "plan/mapping.hpp"

namespace nb = nanobind;

namespace netwright::bindings {
namespace {

template <typename Item>
using Rows = std::vector<std::vector<Item>>;
using Dim = std::tuple<std::int32_t, std::int64_t, std::int32_t, std::int64_t, std::int64_t>;
using Level = std::tuple<double, double, double, std::int64_t, std::int64_t, std::uint32_t, bool, std::vector<std::int32_t>>;
using Spatial = std::vector<std::tuple<std::int32_t, std::int32_t, std::int32_t>>;
using Temporal = std::vector<std::tuple<std::int32_t, std::int64_t>>;
using Mapping = std::tuple<Spatial, Temporal, Rows<std::int32_t>, Rows<std::int32_t>>;
using Cost = std::tuple<double, double, double, double, double>;

void refuse(const char* problem) {
  if (problem) throw std::invalid_argument(problem);
}

struct Given {
  plan::NestProblem problem;
};

plan::Spatial spatial_of(const Spatial& rows) {
  plan::Spatial spatial;
  for (const auto& [axis, loop, unrolled] : rows) spatial.push_back({axis, loop, unrolled});
  return spatial;
}

plan::Paths paths_of(const Rows<std::int32_t>& rows) {
  if (rows.size() != plan::kOperands) throw std::invalid_argument("paths are of three operands");
  return {rows[0], rows[1], rows[2]};
}

plan::NestMapping mapping_of(const Mapping& given) {
  const auto& [spatial, temporal, paths, cuts] = given;
  plan::NestMapping mapping;
  mapping.spatial = spatial_of(spatial);
  for (const auto& [loop, count] : temporal) mapping.temporal.push_back({loop, count});
  mapping.paths = paths_of(paths);
  mapping.cuts = paths_of(cuts);
  return mapping;
}

Mapping rows_of(const plan::NestMapping& mapping) {
  Spatial spatial;
  for (const auto& one : mapping.spatial) spatial.push_back({one.axis, one.loop, one.unrolled});
  Temporal temporal;
  for (const auto& one : mapping.temporal) temporal.push_back({one.loop, one.count});
  return {spatial, temporal, {mapping.paths.begin(), mapping.paths.end()}, {mapping.cuts.begin(), mapping.cuts.end()}};
}

void make(Given* self, std::vector<std::int64_t> sizes, const Rows<Dim>& dims, std::vector<bool> multicast,
          const std::vector<Level>& levels, std::vector<double> ports, std::vector<bool> hidden, const std::vector<std::uint32_t>& port_inputs,
          const std::vector<std::int64_t>& bits, bool reads_first_sum, bool windows) {
  plan::NestProblem problem{};
  problem.sizes = std::move(sizes);
  if (dims.size() != plan::kOperands || port_inputs.size() != plan::kOperands || bits.size() != 4)
    throw std::invalid_argument("dims and ports are of three operands, bits of four");
  for (int operand = 0; operand < plan::kOperands; ++operand) {
    for (const auto& [first, step, second, stride, extent] : dims[operand]) {
      const plan::TensorDim dim{first, second, step, stride, extent};
      problem.dims[operand].push_back(dim);
      if (first < 0 || first >= 64 || second >= 64) continue;
      problem.uses[operand] |= std::uint64_t{1} << first;
      if (second >= 0) problem.uses[operand] |= std::uint64_t{1} << second;
      if (dim.plain()) problem.alone[operand] |= std::uint64_t{1} << first;
    }
    problem.port_inputs[operand] = port_inputs[operand];
  }
  problem.multicast = std::move(multicast);
  for (const auto& [capacity, read, write, access, word, serves, holds, port] : levels) {
    plan::NestLevel level{capacity, read, write, access, word, serves, holds, {}};
    if (port.size() != level.port.size()) throw std::invalid_argument("a level has twelve flows");
    std::copy(port.begin(), port.end(), level.port.begin());
    problem.levels.push_back(level);
  }
  problem.ports = std::move(ports);
  problem.hidden = std::move(hidden);
  problem.input_bits = bits[0];
  problem.weight_bits = bits[1];
  problem.sum_bits = bits[2];
  problem.output_bits = bits[3];
  problem.reads_first_sum = reads_first_sum;
  problem.windows = windows;
  refuse(plan::check(problem));
  new (self) Given{std::move(problem)};
}

Cost cost(const Given& given, const Mapping& rows) {
  const plan::NestMapping mapping = mapping_of(rows);
  refuse(plan::check(given.problem, mapping));
  const plan::NestCost found = plan::nest_cost(given.problem, mapping);
  return {found.joules, found.loading, found.computing, found.unloading, found.busiest};
}

std::tuple<bool, Mapping, Cost, double, bool, std::int64_t, std::vector<double>> search(
    const Given& given, const std::vector<Spatial>& spatial, const std::vector<Rows<std::int32_t>>& paths, bool cycles,
    std::int64_t visits) {
  plan::MappingOptions options{{}, {}, cycles ? plan::MappingGoal::kCycles : plan::MappingGoal::kJoules, visits};
  for (const Spatial& one : spatial) options.spatial.push_back(spatial_of(one));
  for (const auto& one : paths) options.paths.push_back(paths_of(one));
  for (const auto& one : options.spatial)
    for (const auto& held : options.paths) refuse(plan::check_options(given.problem, one, held));
  nb::gil_scoped_release release;
  const plan::FoundMapping found = plan::find_mapping(given.problem, options);
  return {found.found, rows_of(found.mapping),
          {found.cost.joules, found.cost.loading, found.cost.computing, found.cost.unloading, found.cost.busiest},
          found.bound, found.proved, found.visits, found.smallest};
}

}  // namespace

void add_mapping(nb::module_& module) {
  nb::class_<Given>(module, "NestProblem", "A loop nest and an array, checked.")
      .def("__init__", &make, nb::arg("sizes"), nb::arg("dims"), nb::arg("multicast"), nb::arg("levels"),
           nb::arg("ports"), nb::arg("hidden"), nb::arg("port_inputs"), nb::arg("bits"), nb::arg("reads_first_sum"), nb::arg("windows"))
      .def("cost", &cost, nb::arg("mapping"), "Joules of memories; cycles of loading, computing, unloading, and of the busiest port.")
      .def("search", &search, nb::arg("spatial"), nb::arg("paths"), nb::arg("cycles"), nb::arg("visits"),
           "(found, mapping, cost, bound, proved, visits, smallest bits by level): least cycles, or least joules.");
}

}  // namespace netwright::bindings
