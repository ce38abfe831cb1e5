// resize: nearest or bilinear over the two spatial dims, coordinates as ONNX Resize names them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/float_kernels.hpp"
#include "kernels/float_vector.hpp"

namespace netwright {

// Codes of graph/ops/resize.py: part of the file format.
enum class Coordinates : int { half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric };
enum class Rounding : int { prefer_floor, prefer_ceil, floor, ceil };

// One axis: where an output element lies in the input. In double, as the reference does.
struct ResizeAxis {
  Coordinates coordinates;
  Rounding rounding;
  std::int64_t size, output;
  double scale;

  double source(std::int64_t at) const {
    switch (coordinates) {
      case Coordinates::align_corners: return output > 1 ? double(at) * (double(size - 1) / double(output - 1)) : 0.0;
      case Coordinates::asymmetric: return double(at) / scale;
      case Coordinates::pytorch_half_pixel:
        if (output <= 1) return 0.0;
        break;
      case Coordinates::half_pixel_symmetric:
        return double(size) / 2 * (1 - double(output) / (scale * double(size))) + (double(at) + 0.5) / scale - 0.5;
      default: break;
    }
    return (double(at) + 0.5) / scale - 0.5;
  }
  std::int64_t nearest(std::int64_t at) const {
    const double x = source(at);
    const double picked = rounding == Rounding::prefer_floor  ? std::ceil(x - 0.5)
                          : rounding == Rounding::prefer_ceil ? std::floor(x + 0.5)
                          : rounding == Rounding::floor       ? std::floor(x)
                                                              : std::ceil(x);
    return std::int64_t(std::clamp(picked, 0.0, double(size - 1)));
  }
};

// Two neighbours and the share of the second.
struct Neighbours {
  std::int64_t low, high;
  float share;

  static Neighbours of(const ResizeAxis& axis, std::int64_t at) {
    const double x = std::clamp(axis.source(at), 0.0, double(axis.size - 1));
    const auto low = std::int64_t(x);
    return {low, std::min(low + 1, axis.size - 1), float(x - double(low))};
  }
};

}  // namespace netwright

namespace netwright::NETWRIGHT_ISA {

inline void blend(float* out, const float* const (&corner)[4], float share_y, float share_x, std::int64_t channels) {
  std::int64_t c = 0;
  const auto mix = [&](Vec a, Vec b, Vec d, Vec e) {
    const Vec top = fma(b - a, splat(share_x), a), bottom = fma(e - d, splat(share_x), d);
    return fma(bottom - top, splat(share_y), top);
  };
  for (; c + kLanes <= channels; c += kLanes)
    store(out + c, mix(load(corner[0] + c), load(corner[1] + c), load(corner[2] + c), load(corner[3] + c)));
  if (const int left = int(channels - c))
    store_part(out + c, mix(load_part(corner[0] + c, left), load_part(corner[1] + c, left), load_part(corner[2] + c, left), load_part(corner[3] + c, left)), left);
}

void resize(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const bool linear = call.parameter[0] == 1;
  const auto coordinates = Coordinates(call.parameter[1]);
  const auto rounding = Rounding(call.parameter[2]);
  const ResizeAxis rows{coordinates, rounding, x.shape[2], out.shape[2], call.real(3)};
  const ResizeAxis columns{coordinates, rounding, x.shape[3], out.shape[3], call.real(4)};
  const std::int64_t channels = x.shape[1];
  const Piece mine = piece(call, out.shape[0] * out.shape[2]);
  for (std::int64_t line = mine.begin; line < mine.end; ++line) {
    const std::int64_t image = line / out.shape[2], y = line % out.shape[2];
    const std::byte* from = x.data + image * x.stride[0];
    std::byte* to = out.data + image * out.stride[0] + y * out.stride[2];
    const Neighbours vertical = Neighbours::of(rows, y);
    const std::int64_t nearest_y = rows.nearest(y);
    for (std::int64_t column = 0; column < out.shape[3]; ++column) {
      const auto pixel = reinterpret_cast<float*>(to + column * out.stride[3]);
      const auto at = [&](std::int64_t row, std::int64_t col) {
        return reinterpret_cast<const float*>(from + row * x.stride[2] + col * x.stride[3]);
      };
      if (linear) {
        const Neighbours across = Neighbours::of(columns, column);
        const float* const corner[] = {at(vertical.low, across.low), at(vertical.low, across.high), at(vertical.high, across.low),
                                       at(vertical.high, across.high)};
        blend(pixel, corner, vertical.share, across.share, channels);
      } else {
        std::memcpy(pixel, at(nearest_y, columns.nearest(column)), std::size_t(channels) * 4);
      }
    }
  }
}

}  // namespace netwright::NETWRIGHT_ISA
