#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace netwright::bindings {

void add_cpu(nb::module_& module) {
  module.def(
      "has_avx2",
      [] {
#if defined(__x86_64__)
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
        return false;
#endif
      },
      "Whether this processor has AVX2 and FMA.");
}

}  // namespace netwright::bindings
