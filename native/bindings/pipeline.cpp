#include <nanobind/nanobind.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include "plan/pipeline.hpp"

namespace nb = nanobind;

namespace netwright::bindings {
namespace {

using Column = std::vector<double>;

void refuse(const char* problem) {
  if (problem) throw std::invalid_argument(problem);
}

std::tuple<plan::Orders, double, std::int64_t> search(std::int32_t microbatches, std::vector<std::int32_t> place,
                                                      Column forward, Column input, Column weight, Column memory,
                                                      Column kept, Column transfer, Column limit,
                                                      const std::vector<plan::Orders>& starts, std::int64_t passes,
                                                      std::uint64_t seed) {
  const auto workers = static_cast<std::int32_t>(transfer.size());
  const plan::Pipeline pipeline{workers,           microbatches,      std::move(place), std::move(forward),
                                std::move(input),  std::move(weight), std::move(memory), std::move(kept),
                                std::move(transfer), std::move(limit)};
  refuse(plan::check(pipeline));
  for (const plan::Orders& start : starts) refuse(plan::check(pipeline, start));
  nb::gil_scoped_release release;
  plan::Found found = plan::search(pipeline, starts, passes, seed);
  return {std::move(found.orders), found.span, found.tries};
}

}  // namespace

void add_pipeline(nb::module_& module) {
  module.def("pipeline_search", &search, nb::arg("microbatches"), nb::arg("place"), nb::arg("forward"),
             nb::arg("input"), nb::arg("weight"), nb::arg("memory"), nb::arg("kept"), nb::arg("transfer"),
             nb::arg("limit"), nb::arg("starts"), nb::arg("passes"), nb::arg("seed"),
             "Shortest span found: (orders of passes by worker, span, tries); no orders when nothing fits.");
}

}  // namespace netwright::bindings
