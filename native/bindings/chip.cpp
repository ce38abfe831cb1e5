#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>

#include "spikes/chip_trace.hpp"

namespace nb = nanobind;

namespace netwright::bindings {
namespace {

template <typename T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T, int RANK>
using Out = nb::ndarray<T, nb::ndim<RANK>, nb::c_contig, nb::device::cpu>;

template <typename Array>
auto as_span(const Array& array) {
  return std::span(array.data(), array.size());
}

void count(const In<std::int64_t>& step_start, const In<std::int32_t>& neuron, const In<std::int64_t>& axon_start,
           const In<std::int32_t>& core, const In<std::int32_t>& synapses, const In<std::int8_t>& kind,
           const In<std::int32_t>& home, Out<std::int64_t, 2> fired, Out<std::int64_t, 2> packets_out,
           Out<std::int64_t, 2> packets_in, Out<std::int64_t, 3> synaptic) {
  const chip::Trace trace{as_span(step_start), as_span(neuron)};
  const chip::Axons axons{as_span(axon_start), as_span(core), as_span(synapses), as_span(home)};
  const chip::Counts counts{as_span(fired), as_span(packets_out), as_span(packets_in), as_span(synaptic)};
  const auto cores = static_cast<std::int64_t>(fired.shape(1)), kinds = static_cast<std::int64_t>(synaptic.shape(2));
  if (const char* fault = chip::check(trace, axons, counts, cores, as_span(kind), kinds)) throw std::invalid_argument(fault);
  nb::gil_scoped_release release;
  chip::count(trace, axons, counts, cores, as_span(kind), kinds);
}

}  // namespace

void add_chip(nb::module_& module) {
  using namespace nb::literals;
  module.def("chip_count", &count, "step_start"_a, "neuron"_a, "axon_start"_a, "core"_a, "synapses"_a, "kind"_a, "home"_a,
             "fired"_a, "packets_out"_a, "packets_in"_a, "synaptic"_a,
             "Adds what recorded spikes make happen on each core in each step; see native/spikes/chip_trace.hpp.");
}

}  // namespace netwright::bindings
