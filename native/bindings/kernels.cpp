// One opcode called on numpy arrays, for tests and benchmarks.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <bit>
#include <ctime>
#include <memory>
#include <stdexcept>

#include "kernels/quant_blocks.hpp"
#include "vm/registry.hpp"

namespace nb = nanobind;

namespace netwright::bindings {
namespace {

using ReadArray = nb::ndarray<nb::ro, nb::device::cpu>;
using WriteArray = nb::ndarray<nb::device::cpu>;

std::int64_t extent_of(const ReadArray& array) {
  if (array.size() == 0) return 0;
  std::int64_t last = 0;
  for (std::size_t axis = 0; axis < array.ndim(); ++axis) {
    if (array.stride(axis) < 0) throw std::invalid_argument("an array with a negative stride cannot be an operand");
    last += static_cast<std::int64_t>(array.shape(axis) - 1) * array.stride(axis);
  }
  return (last + 1) * static_cast<std::int64_t>(array.itemsize());
}

// (array, format code, shape, strides in bytes), or None for an absent optional operand.
Operand operand_of(nb::handle item, bool written, std::vector<ReadArray>& alive) {
  Operand operand{};
  if (item.is_none()) return operand;
  const auto tuple = nb::cast<nb::tuple>(item);
  if (tuple.size() != 4) throw std::invalid_argument("an operand is (array, format, shape, strides) or None");
  if (written) nb::cast<WriteArray>(tuple[0]);  // refuses a read-only array
  const auto array = nb::cast<ReadArray>(tuple[0]);
  const auto shape = nb::cast<std::vector<std::int64_t>>(tuple[2]);
  const auto stride = nb::cast<std::vector<std::int64_t>>(tuple[3]);
  if (shape.size() != stride.size() || shape.size() > kMaxRank)
    throw std::invalid_argument("an operand has one stride for each of at most 6 dims");
  operand.data = reinterpret_cast<std::byte*>(const_cast<void*>(array.data()));
  operand.format = static_cast<Format>(nb::cast<std::uint8_t>(tuple[1]));
  operand.rank = static_cast<std::int32_t>(shape.size());
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    operand.shape[axis] = shape[axis];
    operand.stride[axis] = stride[axis];
  }
  const std::int64_t reach = extent_bytes(operand);
  if (reach < 0 || reach > extent_of(array)) throw std::invalid_argument("an operand reaches outside its array");
  alive.push_back(array);
  return operand;
}

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double call(const std::string& name, const nb::list& operands,
            const std::vector<std::variant<std::int64_t, double>>& parameters, std::int64_t part,
            std::int64_t parts, bool avx2, std::int64_t repeats) {
  const Opcode* opcode = find_opcode(name);
  if (opcode == nullptr) throw std::invalid_argument("no opcode is called " + name);
  if (parts < 1 || part < 0 || part >= parts) throw std::invalid_argument("part must lie in [0, parts)");
  std::vector<ReadArray> alive;
  std::vector<Operand> operand;
  for (std::size_t i = 0; i < operands.size(); ++i)
    operand.push_back(operand_of(operands[i], static_cast<std::int32_t>(i) < opcode->num_written, alive));
  std::vector<std::int64_t> parameter;
  for (const auto& each : parameters)
    parameter.push_back(std::holds_alternative<double>(each) ? std::bit_cast<std::int64_t>(std::get<double>(each))
                                                             : std::get<std::int64_t>(each));
  Call record{operand.data(), parameter.data(), nullptr, static_cast<std::int32_t>(operand.size()),
              static_cast<std::int32_t>(parameter.size()), part, parts};
  if (const char* fault = opcode->check(record)) throw std::invalid_argument(name + ": " + fault);
  if (const char* fault = opcode->contents ? opcode->contents(record) : nullptr) throw std::invalid_argument(name + ": " + fault);
  const std::int64_t bytes = opcode->workspace == nullptr ? 0 : opcode->workspace(record);
  const auto storage = std::make_unique<std::byte[]>(static_cast<std::size_t>(bytes) + 64);
  record.workspace = std::bit_cast<std::byte*>((std::bit_cast<std::uintptr_t>(storage.get()) + 63) / 64 * 64);
  const Kernel kernel = avx2 && opcode->avx2 != nullptr ? opcode->avx2 : opcode->scalar;
  nb::gil_scoped_release release;
  const double begin = thread_seconds();
  for (std::int64_t repeat = 0; repeat < repeats; ++repeat) kernel(record);
  return thread_seconds() - begin;
}

}  // namespace

void add_kernels(nb::module_& module) {
  using namespace nb::literals;
  module.def("call", &call, "name"_a, "operands"_a, "parameters"_a, "part"_a = 0, "parts"_a = 1, "avx2"_a = true,
             "repeats"_a = 1,
             "Run one opcode in place; returns the CPU seconds of this thread. An operand is\n"
             "(array, format code, shape, strides in bytes), or None when absent; written ones first.\n"
             "A float parameter is passed as the bits of a double. ValueError: the opcode's check refused.");
  module.def(
      "opcodes",
      [] {
        nb::list all;
        for (const Opcode& each : opcodes())
          all.append(nb::make_tuple(each.code, each.name, each.num_written, each.avx2 != nullptr));
        return all;
      },
      "(code, name, number of written operands, has an AVX2 form) of every opcode.");
  module.def(
      "activation_row_bytes",
      [](std::uint8_t format, std::int64_t k) { return activation_row_bytes(static_cast<Format>(format), k); },
      "format"_a, "k"_a, "Bytes of one row of k activations in act8x32 (40), act8x256 (41) or lut4x256 (42); -1 when impossible.");
}

}  // namespace netwright::bindings
