// The Python face of the core. Bindings hold no logic.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace netwright::bindings {
// One function a room; each is defined in its own file of this folder.
void add_chip(nb::module_&);
void add_cpu(nb::module_&);
void add_events(nb::module_&);
void add_executable(nb::module_&);
void add_float_pack(nb::module_&);
void add_kernels(nb::module_&);
void add_mapping(nb::module_&);
void add_pipeline(nb::module_&);
void add_plan(nb::module_&);
void add_probe(nb::module_&);
void add_train(nb::module_&);
}  // namespace netwright::bindings

NB_MODULE(core, module) {
  module.doc() = "Netwright's native core.";
  netwright::bindings::add_chip(module);
  netwright::bindings::add_cpu(module);
  netwright::bindings::add_events(module);
  netwright::bindings::add_executable(module);
  netwright::bindings::add_float_pack(module);
  netwright::bindings::add_kernels(module);
  netwright::bindings::add_mapping(module);
  netwright::bindings::add_pipeline(module);
  netwright::bindings::add_plan(module);
  netwright::bindings::add_probe(module);
  netwright::bindings::add_train(module);
}
