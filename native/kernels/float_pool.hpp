// pool: maximum or average over a window, eight channels at a time; taps outside the image are skipped.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/float_kernels.hpp"
#include "kernels/float_vector.hpp"
#include "kernels/float_window.hpp"

namespace netwright::NETWRIGHT_ISA {

struct PoolTaps {
  const std::byte* first;  // the first tap inside
  std::int64_t count_y, count_x, step_y, step_x;
  float divisor;
};

template <bool MAXIMUM>
NETWRIGHT_INLINE Vec pool_lanes(const PoolTaps& taps, std::int64_t c, int lanes) {
  Vec acc = MAXIMUM ? splat(-std::numeric_limits<float>::infinity()) : Vec{};
  for (std::int64_t i = 0; i < taps.count_y; ++i) {
    const std::byte* at = taps.first + i * taps.step_y;
    for (std::int64_t j = 0; j < taps.count_x; ++j, at += taps.step_x) {
      const auto from = reinterpret_cast<const float*>(at) + c;
      const Vec value = lanes == kLanes ? load(from) : load_part(from, lanes);
      acc = MAXIMUM ? max(acc, value) : acc + value;  // max gives its second operand when one is NaN
    }
  }
  return MAXIMUM ? acc : acc / taps.divisor;
}

template <bool MAXIMUM>
void pool_image(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const Window window = Window::of(call, 1);
  const std::int64_t channels = out.shape[1], height = out.shape[2], width = out.shape[3];
  // Taps i in [first, first + count) of one axis with start + i * dilation inside [0, size).
  const auto inside = [](std::int64_t start, std::int64_t dilation, std::int64_t kernel, std::int64_t size) {
    const std::int64_t first = std::min(start < 0 ? (-start + dilation - 1) / dilation : 0, kernel);
    const std::int64_t end = size <= start ? 0 : (size - start + dilation - 1) / dilation;
    return Piece{first, std::clamp(end, first, kernel)};
  };
  const Piece mine = piece(call, out.shape[0] * height * width);
  for (std::int64_t pixel = mine.begin; pixel < mine.end; ++pixel) {
    const std::int64_t image = pixel / (height * width), out_y = pixel / width % height, out_x = pixel % width;
    const std::int64_t y = out_y * window.stride_y - window.pad_top, x_at = out_x * window.stride_x - window.pad_left;
    const Piece rows = inside(y, window.dilation_y, window.kernel_y, x.shape[2]);
    const Piece columns = inside(x_at, window.dilation_x, window.kernel_x, x.shape[3]);
    const std::int64_t real = (rows.end - rows.begin) * (columns.end - columns.begin);
    PoolTaps taps{x.data, real ? rows.end - rows.begin : 0, columns.end - columns.begin, window.dilation_y * x.stride[2],
                  window.dilation_x * x.stride[3], float(call.parameter[9] ? window.taps() : std::max<std::int64_t>(real, 1))};
    if (real)
      taps.first += image * x.stride[0] + (y + rows.begin * window.dilation_y) * x.stride[2] +
                    (x_at + columns.begin * window.dilation_x) * x.stride[3];
    const auto to = reinterpret_cast<float*>(out.data + image * out.stride[0] + out_y * out.stride[2] + out_x * out.stride[3]);
    std::int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) store(to + c, pool_lanes<MAXIMUM>(taps, c, kLanes));
    if (c < channels) store_part(to + c, pool_lanes<MAXIMUM>(taps, c, int(channels - c)), int(channels - c));
  }
}

void pool(const Call& call) { call.parameter[0] == 0 ? pool_image<true>(call) : pool_image<false>(call); }

}  // namespace netwright::NETWRIGHT_ISA
