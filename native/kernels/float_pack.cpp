#include "kernels/float_pack.hpp"

namespace netwright {

void pack_weight(float* packed, const float* weight, WeightStrides stride, std::int64_t outputs, std::int64_t inputs,
                 std::int64_t taps, std::int64_t groups) {
  const PanelLayout layout{outputs};
  for (std::int64_t group = 0; group < groups; ++group)
    for (std::int64_t index = 0; index < layout.num_panels(); ++index) {
      const Panel panel = layout.panel(index);
      for (std::int64_t tap = 0; tap < taps; ++tap)
        for (std::int64_t input = 0; input < inputs; ++input) {
          const float* from = weight + group * stride.group + panel.column * stride.output + input * stride.input + tap * stride.tap;
          for (std::int64_t lane = 0; lane < panel.width; ++lane)
            *packed++ = lane < panel.outputs ? from[lane * stride.output] : 0.0f;
        }
    }
}

void pack_spread(float* packed, const float* weight, WeightStrides stride, std::int64_t outputs, std::int64_t inputs, std::int64_t taps) {
  const PanelLayout layout{outputs * taps};
  for (std::int64_t index = 0; index < layout.num_panels(); ++index) {
    const Panel panel = layout.panel(index);
    for (std::int64_t input = 0; input < inputs; ++input)
      for (std::int64_t lane = 0; lane < panel.width; ++lane) {
        const std::int64_t column = panel.column + lane, tap = column / outputs, output = column % outputs;
        *packed++ = lane < panel.outputs ? weight[output * stride.output + input * stride.input + tap * stride.tap] : 0.0f;
      }
  }
}

}  // namespace netwright
