// Measurements of the machine at hand, and of single kernels on it.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <span>
#include <stdexcept>
#include <tuple>

#include "kernels/quant_blocks.hpp"
#include "probe/measure.hpp"
#include "vm/registry.hpp"

namespace nb = nanobind;

namespace netwright::bindings {
namespace {

constexpr std::size_t kMostSamples = 100;
constexpr std::size_t kLeastSamples = 3;
constexpr double kLongSeconds = 2e-5;  // a call this long may be interrupted: its CPU time counts, too
constexpr std::int64_t kLine = 64;

using Bytes = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// An operand and how far the next copy of it lies: 0 when every call uses the same bytes. A produced one is
// written anew before each call, as the task before it in a program would do.
struct Rotated {
  Operand operand;
  std::int64_t copy_stride;
  bool produced;
};

Rotated rotated_of(nb::handle item, std::int64_t copies, std::vector<Bytes>& alive) {
  Rotated result{};
  if (item.is_none()) return result;
  const auto tuple = nb::cast<nb::tuple>(item);
  if (tuple.size() != 6)
    throw std::invalid_argument("an operand is (bytes, format, shape, strides, copy_stride, produced) or None");
  const auto array = nb::cast<Bytes>(tuple[0]);
  const auto shape = nb::cast<std::vector<std::int64_t>>(tuple[2]);
  const auto stride = nb::cast<std::vector<std::int64_t>>(tuple[3]);
  result.copy_stride = nb::cast<std::int64_t>(tuple[4]);
  result.produced = nb::cast<bool>(tuple[5]);
  if (shape.size() != stride.size() || shape.size() > kMaxRank)
    throw std::invalid_argument("an operand has one stride for each of at most 6 dims");
  result.operand.data = reinterpret_cast<std::byte*>(array.data());
  result.operand.format = static_cast<Format>(nb::cast<std::uint8_t>(tuple[1]));
  result.operand.rank = static_cast<std::int32_t>(shape.size());
  std::ranges::copy(shape, result.operand.shape);
  std::ranges::copy(stride, result.operand.stride);
  const auto available = static_cast<std::int64_t>(array.size());
  const std::int64_t reach = extent_bytes(result.operand);
  if (reach < 0 || reach > available || result.copy_stride < 0 ||
      (result.copy_stride > 0 && (copies - 1) > (available - reach) / result.copy_stride))
    throw std::invalid_argument("an operand, or a copy of it, reaches outside its bytes");
  alive.push_back(array);
  return result;
}

class Rotation {
 public:
  Rotation(std::vector<Rotated> operands, std::int64_t copies) : rotated_(std::move(operands)), copies_(copies) {
    for (const auto& each : rotated_) current_.push_back(each.operand);
  }
  const Operand* current() const { return current_.data(); }
  // Whether other lines are read at every call; a number that counts is the same line.
  bool streams() const {
    return copies_ > 1 && std::ranges::any_of(rotated_, [](const Rotated& each) { return each.copy_stride >= kLine; });
  }
  void next() {
    at_ = (at_ + 1) % copies_;
    for (std::size_t i = 0; i < current_.size(); ++i)
      if (rotated_[i].copy_stride) current_[i].data = rotated_[i].operand.data + at_ * rotated_[i].copy_stride;
  }
  // Every line of what the task before would have written is written, with the value it has.
  void produce() {
    for (std::size_t i = 0; i < current_.size(); ++i) {
      if (!rotated_[i].produced || current_[i].data == nullptr) continue;
      const std::int64_t bytes = extent_bytes(current_[i]);
      for (std::int64_t at = 0; at < bytes; at += kLine) {
        auto* byte = reinterpret_cast<volatile unsigned char*>(current_[i].data + at);
        *byte = *byte;
      }
    }
  }

 private:
  std::vector<Rotated> rotated_;
  std::vector<Operand> current_;
  std::int64_t copies_, at_ = 0;
};

const probe::Kernels& kernels_of(bool avx2) {
  const probe::Kernels* fast = avx2 ? probe::avx2_kernels() : nullptr;
  return fast == nullptr ? probe::scalar_kernels() : *fast;
}

// (seconds of a call, of the reference beside it, of reading what lies further out just before it)
using Sample = std::tuple<double, double, double>;

// One call at a time, as a program makes it: other bytes went through the caches since the one before, and
// its input has just been written. What lies further out is the main memory when weights are streamed from there,
// else the cache that the other bytes come from.
std::vector<Sample> sample(Kernel kernel, Call& call, Rotation& rotation, double budget_seconds,
                           std::span<const std::uint64_t> others, const probe::Kernels& reader) {
  volatile std::uint64_t sink = 0;
  bool is_long = true;  // the first call only warms up
  double outer = 0.0;
  const auto once = [&] {
    const double begun = probe::wall_seconds();
    if (!others.empty()) sink = sink + reader.read(others.data(), static_cast<std::int64_t>(others.size()));
    outer = rotation.streams() ? probe::stream_seconds(reader) : probe::wall_seconds() - begun;
    rotation.produce();
    call.operand = rotation.current();
    const double cpu = is_long ? probe::thread_seconds() : 0.0;
    const double wall = probe::wall_seconds();
    for (call.part = 0; call.part < call.parts; ++call.part) kernel(call);
    const double passed = probe::wall_seconds() - wall;
    const double used = is_long ? probe::thread_seconds() - cpu : passed;
    rotation.next();
    return std::min(passed, used);
  };
  const double start = probe::wall_seconds();
  is_long = once() > kLongSeconds;
  std::vector<Sample> samples;
  double before = probe::reference_seconds(reader);
  while (samples.size() < kLeastSamples ||
         (samples.size() < kMostSamples && probe::wall_seconds() - start < budget_seconds)) {
    const double seconds = std::max(once(), 1e-9);
    const double after = probe::reference_seconds(reader);
    samples.emplace_back(seconds, std::max(before, after), outer);
    before = after;
  }
  return samples;
}

// Integers as they are; reals as the bits of a double.
std::vector<std::int64_t> words_of(const std::vector<std::variant<std::int64_t, double>>& parameters) {
  std::vector<std::int64_t> words;
  for (const auto& each : parameters)
    words.push_back(std::holds_alternative<double>(each) ? std::bit_cast<std::int64_t>(std::get<double>(each))
                                                         : std::get<std::int64_t>(each));
  return words;
}

std::vector<Sample> time_call(const std::string& name, const nb::list& operands,
                              const std::vector<std::variant<std::int64_t, double>>& parameters, std::int64_t copies,
                              double budget_seconds, std::int64_t between_bytes, bool avx2) {
  const Opcode* opcode = find_opcode(name);
  if (opcode == nullptr) throw std::invalid_argument("no opcode is called " + name);
  if (copies < 1 || budget_seconds > 10.0 || between_bytes < 0 || between_bytes > (std::int64_t{1} << 30))
    throw std::invalid_argument("copies must be 1 or more, the budget at most 10 s, between at most 1 GiB");
  std::vector<Bytes> alive;
  std::vector<Rotated> rotated;
  for (const nb::handle item : operands) rotated.push_back(rotated_of(item, copies, alive));
  Rotation rotation(std::move(rotated), copies);
  const std::vector<std::int64_t> parameter = words_of(parameters);
  Call call{rotation.current(), parameter.data(), nullptr, static_cast<std::int32_t>(operands.size()),
            static_cast<std::int32_t>(parameter.size()), 0, 1};
  if (const char* fault = opcode->check(call)) throw std::invalid_argument(name + ": " + fault);
  if (const char* fault = opcode->contents ? opcode->contents(call) : nullptr) throw std::invalid_argument(name + ": " + fault);
  const std::int64_t bytes = opcode->workspace == nullptr ? 0 : opcode->workspace(call);
  const auto storage = std::make_unique<std::byte[]>(static_cast<std::size_t>(bytes) + 64);
  call.workspace = std::bit_cast<std::byte*>((std::bit_cast<std::uintptr_t>(storage.get()) + 63) / 64 * 64);
  const Kernel kernel = avx2 && opcode->avx2 != nullptr ? opcode->avx2 : opcode->scalar;
  nb::gil_scoped_release release;
  thread_local std::vector<std::uint64_t> others;
  const auto words = static_cast<std::size_t>(between_bytes / 8 / 64 * 64);
  if (others.size() < words) others.assign(words, 1);
  return sample(kernel, call, rotation, budget_seconds, {others.data(), words}, kernels_of(avx2));
}

// What a kernel asks of a thread's workspace at these shapes; no operand is touched.
std::int64_t workspace_of(const std::string& name, const nb::list& operands,
                          const std::vector<std::variant<std::int64_t, double>>& parameters) {
  const Opcode* opcode = find_opcode(name);
  if (opcode == nullptr) throw std::invalid_argument("no opcode is called " + name);
  if (opcode->workspace == nullptr) return 0;
  std::vector<Operand> given;
  for (const nb::handle item : operands) {
    Operand& operand = given.emplace_back();
    if (item.is_none()) continue;
    const auto tuple = nb::cast<nb::tuple>(item);
    if (tuple.size() != 3) throw std::invalid_argument("an operand is (format, shape, strides) or None");
    const auto shape = nb::cast<std::vector<std::int64_t>>(tuple[1]);
    const auto stride = nb::cast<std::vector<std::int64_t>>(tuple[2]);
    if (shape.size() != stride.size() || shape.size() > kMaxRank)
      throw std::invalid_argument("an operand has one stride for each of at most 6 dims");
    // Only that it is there counts, and that no two overlap.
    operand.data = std::bit_cast<std::byte*>(static_cast<std::uintptr_t>(given.size()) << 42);
    operand.format = static_cast<Format>(nb::cast<std::uint8_t>(tuple[0]));
    operand.rank = static_cast<std::int32_t>(shape.size());
    std::ranges::copy(shape, operand.shape);
    std::ranges::copy(stride, operand.stride);
  }
  const std::vector<std::int64_t> parameter = words_of(parameters);
  Call call{given.data(), parameter.data(), nullptr, static_cast<std::int32_t>(given.size()),
            static_cast<std::int32_t>(parameter.size()), 0, 1};
  if (const char* fault = opcode->check(call)) throw std::invalid_argument(name + ": " + fault);
  return opcode->workspace(call);
}

void check_probe(std::int64_t bytes, int threads, double seconds) {
  if (bytes < 0 || bytes > (std::int64_t{1} << 32) || threads < 1 || threads > 4096 || seconds < 0 || seconds > 10)
    throw std::invalid_argument("a probe takes at most 4 GiB and 10 s, and from 1 to 4096 threads");
}

}  // namespace

void add_probe(nb::module_& module) {
  using namespace nb::literals;
  module.def("time_call", &time_call, "name"_a, "operands"_a, "parameters"_a, "copies"_a = 1,
             "budget_seconds"_a = 0.05, "between_bytes"_a = 0, "avx2"_a = true,
             "(seconds of one call, of the reference beside it, of reading the memory further out), a sample. An operand is (uint8 array, format code, shape,\n"
             "strides in bytes, copy stride in bytes, produced) or None; call i uses copy i modulo `copies`, so\n"
             "that weights can come from memory rather than from a cache. Before each call `between_bytes` of\n"
             "other memory are read, and what is produced is written. ValueError: refused by the opcode's check.");
  module.def("workspace_of", &workspace_of, "name"_a, "operands"_a, "parameters"_a,
             "Bytes of workspace that a call needs for each thread. An operand is (format code, shape, strides in\n"
             "bytes) or None. ValueError: refused by the opcode's check.");
  module.def("reference_seconds", [](bool avx2) { return probe::reference_seconds(kernels_of(avx2)); }, "avx2"_a,
             "Seconds of a fixed piece of work: longer than usual when the processor is not left alone.");
  module.def("stream_seconds", [](bool avx2) { return probe::stream_seconds(kernels_of(avx2)); }, "avx2"_a,
             "Seconds to read a quarter MiB of the main memory: longer than usual when others use it, too.");
  module.def(
      "read_rates",
      [](std::int64_t bytes, int threads, double seconds, bool avx2) {
        check_probe(bytes, threads, seconds);
        nb::gil_scoped_release release;
        return probe::read_rates(kernels_of(avx2), bytes, threads, seconds);
      },
      "num_bytes"_a, "threads"_a, "seconds"_a, "avx2"_a, "Bytes per CPU second that each thread reads.");
  module.def(
      "copy_rates",
      [](std::int64_t bytes, int threads, double seconds, bool avx2) {
        check_probe(bytes, threads, seconds);
        nb::gil_scoped_release release;
        return probe::copy_rates(kernels_of(avx2), bytes, threads, seconds);
      },
      "num_bytes"_a, "threads"_a, "seconds"_a, "avx2"_a, "Bytes read plus written per CPU second of each thread.");
  module.def(
      "float_rates",
      [](int threads, double seconds, bool avx2) {
        check_probe(0, threads, seconds);
        nb::gil_scoped_release release;
        return probe::float_rates(kernels_of(avx2), threads, seconds);
      },
      "threads"_a, "seconds"_a, "avx2"_a, "fp32 operations per CPU second of each thread.");
  module.def(
      "int8_rates",
      [](int threads, double seconds, bool avx2) {
        check_probe(0, threads, seconds);
        nb::gil_scoped_release release;
        return probe::int8_rates(kernels_of(avx2), threads, seconds);
      },
      "threads"_a, "seconds"_a, "avx2"_a, "int8 dot product operations per CPU second of each thread.");
}

}  // namespace netwright::bindings
