// Packing of weights at plan time (kernels/float_pack.hpp, kernels/quant_lookup.hpp).
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>

#include "kernels/float_pack.hpp"
#include "kernels/quant_blocks.hpp"
#include "kernels/quant_lookup.hpp"

namespace nb = nanobind;

namespace netwright::bindings {
namespace {

using Weight2 = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu>;
using Weight4 = nb::ndarray<const float, nb::ndim<4>, nb::device::cpu>;

std::int64_t packed_bytes(std::int64_t outputs, std::int64_t inputs, std::int64_t taps, std::int64_t groups) {
  constexpr std::int64_t most = std::int64_t{1} << 40;
  if (outputs < 1 || inputs < 1 || taps < 1 || groups < 1) throw std::invalid_argument("sizes of a packed weight are at least 1");
  if (outputs > most || inputs > most / (outputs + 8) || taps > most / (outputs + 8) / inputs || groups > most / (outputs + 8) / inputs / taps)
    throw std::invalid_argument("a packed weight is too large");
  return 4 * packed_floats(outputs, inputs, taps, groups);
}

nb::object uninitialised(std::int64_t bytes) {
  nb::object result = nb::steal(PyBytes_FromStringAndSize(nullptr, bytes));
  if (!result.is_valid()) nb::raise_python_error();
  return result;
}

nb::bytes pack(const float* weight, WeightStrides stride, std::int64_t outputs, std::int64_t inputs, std::int64_t taps, std::int64_t groups) {
  nb::object result = uninitialised(packed_bytes(outputs, inputs, taps, groups));
  pack_weight(reinterpret_cast<float*>(PyBytes_AS_STRING(result.ptr())), weight, stride, outputs, inputs, taps, groups);
  return nb::borrow<nb::bytes>(result);
}

nb::bytes pack_gemm(const Weight2& weight) {
  const auto n = std::int64_t(weight.shape(0)), k = std::int64_t(weight.shape(1));
  return pack(weight.data(), {0, weight.stride(0), weight.stride(1), 0}, n, k, 1, 1);
}

// [O, C / groups, kh, kw]; taps are contiguous in kh * kw only when the strides say so.
nb::bytes pack_conv(const Weight4& weight, std::int64_t groups) {
  const auto outputs = std::int64_t(weight.shape(0)), inputs = std::int64_t(weight.shape(1));
  const auto rows = std::int64_t(weight.shape(2)), columns = std::int64_t(weight.shape(3));
  if (groups < 1 || outputs % groups) throw std::invalid_argument("groups do not divide the outputs");
  if (rows > 1 && weight.stride(2) != columns * weight.stride(3)) throw std::invalid_argument("kernel rows are not adjacent");
  const std::int64_t tap = columns > 1 ? weight.stride(3) : weight.stride(2);
  return pack(weight.data(), {outputs / groups * weight.stride(0), weight.stride(0), weight.stride(1), tap}, outputs / groups, inputs,
              rows * columns, groups);
}

// [C, O / groups, kh, kw], as ONNX ships a transposed convolution.
nb::bytes pack_conv_transpose(const Weight4& weight, std::pair<std::int64_t, std::int64_t> strides,
                              std::pair<std::int64_t, std::int64_t> dilations, std::int64_t groups) {
  const auto channels = std::int64_t(weight.shape(0)), outputs = std::int64_t(weight.shape(1));
  const auto rows = std::int64_t(weight.shape(2)), columns = std::int64_t(weight.shape(3));
  if (groups < 1 || channels % groups) throw std::invalid_argument("groups do not divide the channels");
  if (rows > 1 && weight.stride(2) != columns * weight.stride(3)) throw std::invalid_argument("kernel rows are not adjacent");
  const std::int64_t tap = columns > 1 ? weight.stride(3) : weight.stride(2);
  const WeightStrides stride{channels / groups * weight.stride(0), weight.stride(1), weight.stride(0), tap};
  const TransposeShape shape{rows, columns, strides.first, strides.second, dilations.first, dilations.second, groups};
  if (!shape.spreads()) return pack(weight.data(), stride, outputs, channels / groups, rows * columns, groups);
  nb::object result = uninitialised(packed_bytes(outputs * rows * columns, channels, 1, 1));
  pack_spread(reinterpret_cast<float*>(PyBytes_AS_STRING(result.ptr())), weight.data(), stride, outputs, channels, rows * columns);
  return nb::borrow<nb::bytes>(result);
}

// Rows of whole blocks, as a file has them.
nb::bytes pack_lookup_of(const nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>& weight, std::uint8_t format,
                         std::int64_t outputs, std::int64_t inputs) {
  const auto form = static_cast<Format>(format);
  constexpr std::int64_t most = std::int64_t{1} << 24;
  if (form != Format::tq1_0 && form != Format::tq2_0) throw std::invalid_argument("only tq1_0 and tq2_0 have bit planes");
  if (outputs < 1 || outputs > most || inputs < 1 || inputs > most || inputs % kLookupBlock) throw std::invalid_argument("a size is out of range");
  if (std::int64_t(weight.size()) != outputs * row_bytes(form, inputs)) throw std::invalid_argument("the bytes are not those of the sizes");
  nb::object result = uninitialised(lookup_bytes(outputs, inputs, 2));
  pack_lookup(form, weight.data(), outputs, inputs, reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(result.ptr())));
  return nb::borrow<nb::bytes>(result);
}

}  // namespace

void add_float_pack(nb::module_& module) {
  using namespace nb::literals;
  module.def("pack_gemm", &pack_gemm, "weight"_a, "The bytes that gemm_packed reads, from fp32 [N, K] of any strides.");
  module.def("pack_lookup", &pack_lookup_of, "weight"_a, "format"_a, "outputs"_a, "inputs"_a,
             "The bytes that matmul_lookup reads, from the bytes of tq1_0 (26) or tq2_0 (27).");
  module.def("pack_conv", &pack_conv, "weight"_a, "groups"_a = 1, "The bytes that conv_packed reads, from fp32 [O, C/groups, kh, kw].");
  module.def("pack_conv_transpose", &pack_conv_transpose, "weight"_a, "strides"_a, "dilations"_a, "groups"_a = 1,
             "The bytes that conv_transpose reads at these strides and dilations, from fp32 [C, O/groups, kh, kw].");
  module.def("packed_bytes", &packed_bytes, "outputs"_a, "inputs"_a, "taps"_a = 1, "groups"_a = 1,
             "Size of a packed weight; outputs and inputs count one group's.");
}

}  // namespace netwright::bindings
