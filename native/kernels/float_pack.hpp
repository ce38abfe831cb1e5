// Packed float weights: for each group, panels of 16 outputs, each [tap][K][16]; outputs are padded with zeros to a
// multiple of 8. When that leaves an odd 8, the last panel is 24 wide (or 8, when it is the only one).
#pragma once

#include <cstdint>

namespace netwright {

inline constexpr std::int64_t kPanelWidth = 16;

struct Panel {
  std::int64_t column;   // first output
  std::int64_t width;    // 8, 16 or 24, padded
  std::int64_t outputs;  // of them real
};

// The panels of `outputs` outputs (one group).
struct PanelLayout {
  std::int64_t outputs;

  std::int64_t padded() const { return (outputs + 7) / 8 * 8; }
  std::int64_t num_panels() const { return padded() < kPanelWidth ? 1 : padded() / kPanelWidth; }
  Panel panel(std::int64_t index) const {
    const std::int64_t column = index * kPanelWidth;
    const std::int64_t width = index + 1 < num_panels() ? kPanelWidth : padded() - column;
    return {column, width, width < outputs - column ? width : outputs - column};
  }
};

inline std::int64_t packed_floats(std::int64_t outputs, std::int64_t inputs, std::int64_t taps, std::int64_t groups) {
  return groups * PanelLayout{outputs}.padded() * inputs * taps;
}

// Writes packed_floats(...) floats. The weight of output o (of its group), input i, tap t and group g is read at
// g * stride.group + o * stride.output + i * stride.input + t * stride.tap, in floats.
struct WeightStrides {
  std::int64_t group, output, input, tap;
};
void pack_weight(float* packed, const float* weight, WeightStrides stride, std::int64_t outputs, std::int64_t inputs,
                 std::int64_t taps, std::int64_t groups);

// Whether the windows of a transposed convolution tile the output without overlap. Its weight is then packed as that of one
// product with taps * outputs columns, tap-major (pack_spread); otherwise as any convolution's.
struct TransposeShape {
  std::int64_t kernel_y, kernel_x, stride_y, stride_x, dilation_y, dilation_x, groups;
  bool spreads() const {
    return kernel_y == stride_y && kernel_x == stride_x && dilation_y == 1 && dilation_x == 1 && groups == 1 && kernel_y * kernel_x > 1;
  }
};
void pack_spread(float* packed, const float* weight, WeightStrides stride, std::int64_t outputs, std::int64_t inputs, std::int64_t taps);

}  // namespace netwright
