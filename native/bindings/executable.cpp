#include "vm/executable.hpp"

#include <algorithm>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "vm/registry.hpp"

namespace nb = nanobind;

namespace netwright::bindings {

namespace {

using Bytes = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using ReadBytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class Row>
std::span<const Row> rows(const ReadBytes& raw, const char* name) {
  if (raw.size() % sizeof(Row) != 0) throw std::invalid_argument(std::string(name) + ": no whole number of rows");
  return {reinterpret_cast<const Row*>(raw.data()), raw.size() / sizeof(Row)};
}

// An Executable and the buffers that its read-only arenas lie in.
struct Loaded {
  Loaded(const ReadBytes& words, const ReadBytes& patches, const ReadBytes& operands, const ReadBytes& tasks,
         const ReadBytes& waits, const std::vector<nb::tuple>& arenas, const std::vector<nb::tuple>& entries,
         int threads, bool use_avx2) {
    std::vector<ArenaSpec> arena_specs;
    for (const nb::tuple& arena : arenas) {
      ArenaSpec spec{static_cast<ArenaKind>(nb::cast<int>(arena[0])), nb::cast<std::int64_t>(arena[1]), nullptr};
      if (!writable(spec.kind)) {
        auto raw = nb::cast<ReadBytes>(arena[2]);
        if (static_cast<std::int64_t>(raw.size()) < spec.size_bytes)
          throw std::invalid_argument("an arena's bytes are fewer than its size");
        spec.data = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(raw.data()));
        held.push_back(raw);
      }
      arena_specs.push_back(spec);
    }
    std::vector<EntrySpec> entry_specs;
    for (const nb::tuple& entry : entries)
      entry_specs.push_back({nb::cast<std::uint32_t>(entry[0]), nb::cast<std::uint32_t>(entry[1]),
                             nb::cast<std::vector<std::int64_t>>(entry[2]),
                             nb::cast<std::vector<std::int64_t>>(entry[3]), nb::cast<std::int64_t>(entry[4]),
                             entry.size() > 5 ? nb::cast<std::int64_t>(entry[5]) : 1});
    const Tables tables{rows<std::int64_t>(words, "words"), rows<PatchRow>(patches, "patches"),
                        rows<OperandRow>(operands, "operands"), rows<TaskRow>(tasks, "tasks"),
                        rows<std::uint32_t>(waits, "waits")};
    executable = std::make_unique<Executable>(tables, arena_specs, entry_specs, threads, use_avx2);
  }
  std::unique_ptr<Executable> executable;
  std::vector<ReadBytes> held;
};

}  // namespace

void add_executable(nb::module_& module) {
  nb::class_<Loaded>(module, "Executable", "A loaded program: verified once, then run without allocating.")
      .def(nb::init<const ReadBytes&, const ReadBytes&, const ReadBytes&, const ReadBytes&, const ReadBytes&,
                    const std::vector<nb::tuple>&, const std::vector<nb::tuple>&, int, bool>(),
           nb::arg("words"), nb::arg("patches"), nb::arg("operands"), nb::arg("tasks"), nb::arg("waits"),
           nb::arg("arenas"), nb::arg("entries"), nb::arg("threads"), nb::arg("use_avx2"))
      .def(
          "run",
          [](Loaded& self, int entry, const std::vector<std::int64_t>& symbols, bool trace) {
            nb::gil_scoped_release released;
            self.executable->run(entry, symbols, trace);
          },
          nb::arg("entry"), nb::arg("symbols"), nb::arg("trace") = false)
      .def(
          "run_slice",
          [](Loaded& self, int entry, const std::vector<std::int64_t>& symbols, std::size_t first, std::size_t last) {
            nb::gil_scoped_release released;
            self.executable->run_slice(entry, symbols, first, last);
          },
          nb::arg("entry"), nb::arg("symbols"), nb::arg("first"), nb::arg("last"),
          "Traced, on this thread, tasks [first, last) only: a run in slices, with something else between them.")
      .def("reset_state", [](Loaded& self) { self.executable->reset_state(); })
      .def("set_threads", [](Loaded& self, int threads) { self.executable->set_threads(threads); })
      .def_prop_ro("workspace_bytes", [](const Loaded& self) { return self.executable->workspace_bytes(); })
      .def(
          "arena",
          [](Loaded& self, int index) -> nb::object {
            if (index < 0 || index >= self.executable->num_arenas()) throw nb::index_error("no such arena");
            const std::size_t size = static_cast<std::size_t>(self.executable->arena_bytes(index));
            const auto data = reinterpret_cast<std::uint8_t*>(self.executable->arena(index));
            const nb::object owner = nb::find(self);
            if (self.executable->arena_writable(index))
              return nb::cast(nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>>(data, {size}, owner));
            return nb::cast(nb::ndarray<nb::numpy, const std::uint8_t, nb::ndim<1>>(data, {size}, owner));
          },
          nb::arg("index"), nb::sig("def arena(self, index: int) -> Annotated[NDArray[numpy.uint8], dict(shape=(None,))]"),
          "The bytes of an arena, read-only where the program may not write; they live as long as it.")
      .def(
          "times",
          [](Loaded& self, std::size_t tasks) {
            std::vector<std::int64_t> flat;
            for (const TaskTime& time : self.executable->times().first(std::min(tasks, self.executable->times().size()))) {
              flat.push_back(time.start_ns);
              flat.push_back(time.end_ns);
            }
            return flat;
          },
          nb::arg("tasks"), "Start and end in nanoseconds of each task of the last traced run, flat.");
  module.def("opcode_codes", [] {
    nb::dict codes;
    for (const Opcode& opcode : opcodes()) codes[opcode.name] = opcode.code;
    return codes;
  });
}

}  // namespace netwright::bindings
