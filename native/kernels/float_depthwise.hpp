// conv_depthwise: eight channels by eight output pixels at a time. For square 3 and 5 kernels a column of input is loaded
// once and used by every tap and pixel that needs it; pixels outside point to a row of zeros, so borders cost no branch.
#pragma once

#include <algorithm>

#include "kernels/float_kernels.hpp"
#include "kernels/float_tile.hpp"
#include "kernels/float_window.hpp"

namespace netwright {

inline constexpr int kPixels = 8;  // output pixels of one tile

inline std::int64_t depthwise_workspace_bytes(std::int64_t channels, const Window& window) {
  // A row of zeros, then pointers: a special form needs at most 5 rows of (7 * 2 + 5) columns.
  return (channels + 8) * 4 + std::max<std::int64_t>(window.taps() * kPixels, 5 * 19) * 8 + 64;
}

}  // namespace netwright

namespace netwright::NETWRIGHT_ISA {

struct DepthwiseWork {
  const float* const* pointer;  // [tap row][column], or [tap][pixel] in the general form
  std::int64_t rows;            // tap rows, or taps
  const float* weight;          // of the first of them: [row][kernel_x][channels]
  std::int64_t channels;
  const float* bias;
  float* out;
  const float* residual;
  std::int64_t out_step, residual_step;  // floats from pixel to pixel
  int pixels;                            // real ones
  const Epilogue* finish;
};

// Lanes [0, lanes) are real; a whole vector takes the short way.
template <bool WHOLE>
NETWRIGHT_INLINE Vec load_lanes(const float* from, int lanes) {
  if constexpr (WHOLE) return load(from);
  else return load_part(from, lanes);
}

#define NETWRIGHT_EACH_PIXEL _Pragma("GCC unroll 8") for (int p = 0; p < kPixels; ++p)

template <bool WHOLE>
NETWRIGHT_INLINE void finish_pixels(const DepthwiseWork& work, std::int64_t c, int lanes, Vec (&acc)[kPixels]) {
  if (work.bias) {
    const Vec bias = load_lanes<WHOLE>(work.bias + c, lanes);
    NETWRIGHT_EACH_PIXEL acc[p] += bias;
  }
  if (work.residual) {
    NETWRIGHT_EACH_PIXEL if (p < work.pixels) acc[p] += load_lanes<WHOLE>(work.residual + p * work.residual_step + c, lanes);
  }
  if (work.finish->loop) {
    float values[kPixels * kLanes];
    NETWRIGHT_EACH_PIXEL store(values + p * kLanes, acc[p]);
    work.finish->loop(values, values, kPixels * kLanes, work.finish->alpha, work.finish->beta);
    NETWRIGHT_EACH_PIXEL acc[p] = load(values + p * kLanes);
  }
  if (work.finish->swish) {
    const Vec alpha = splat(work.finish->alpha), beta = splat(work.finish->beta);
    NETWRIGHT_EACH_PIXEL acc[p] = evaluate<Function::scaled_hard_swish>(acc[p], alpha, beta);
  }
  const Vec low = work.finish->low, high = work.finish->high;
  float* to = work.out + c;
  NETWRIGHT_EACH_PIXEL {
    if (p < work.pixels) {
      const Vec value = clamp(acc[p], low, high);
      if constexpr (WHOLE) store(to, value);
      else store_part(to, value, lanes);
      to += work.out_step;
    }
  }
}

template <int KERNEL, int STRIDE, bool WHOLE>
NETWRIGHT_INLINE void column_tile(const DepthwiseWork& work, std::int64_t c, int lanes) {
  constexpr int columns = (kPixels - 1) * STRIDE + KERNEL;
  Vec acc[kPixels];
  NETWRIGHT_EACH_PIXEL acc[p] = Vec{};
  const float* taps = work.weight + c;
  const float* const* pointer = work.pointer;
  for (std::int64_t row = 0; row < work.rows; ++row, pointer += columns) {
    Vec weight[KERNEL];
#pragma GCC unroll 5
    for (int j = 0; j < KERNEL; ++j, taps += work.channels) weight[j] = load_lanes<WHOLE>(taps, lanes);
#pragma GCC unroll 19
    for (int column = 0; column < columns; ++column) {
      const Vec x = load_lanes<WHOLE>(pointer[column] + c, lanes);
#pragma GCC unroll 5
      for (int j = 0; j < KERNEL; ++j) {
        const int position = column - j;
        if (position >= 0 && position % STRIDE == 0 && position / STRIDE < kPixels)
          acc[position / STRIDE] = fma(x, weight[j], acc[position / STRIDE]);
      }
    }
  }
  finish_pixels<WHOLE>(work, c, lanes, acc);
}

template <bool WHOLE>
NETWRIGHT_INLINE void general_tile(const DepthwiseWork& work, std::int64_t c, int lanes) {
  Vec acc[kPixels];
  NETWRIGHT_EACH_PIXEL acc[p] = Vec{};
  for (std::int64_t tap = 0; tap < work.rows; ++tap) {
    const Vec weight = load_lanes<WHOLE>(work.weight + tap * work.channels + c, lanes);
    NETWRIGHT_EACH_PIXEL acc[p] = fma(load_lanes<WHOLE>(work.pointer[tap * kPixels + p] + c, lanes), weight, acc[p]);
  }
  finish_pixels<WHOLE>(work, c, lanes, acc);
}

// All channels of one tile of pixels.
template <int KERNEL, int STRIDE>
void column_pixels(const DepthwiseWork& work) {
  std::int64_t c = 0;
  for (; c + kLanes <= work.channels; c += kLanes) column_tile<KERNEL, STRIDE, true>(work, c, kLanes);
  if (c < work.channels) column_tile<KERNEL, STRIDE, false>(work, c, int(work.channels - c));
}
inline void general_pixels(const DepthwiseWork& work) {
  std::int64_t c = 0;
  for (; c + kLanes <= work.channels; c += kLanes) general_tile<true>(work, c, kLanes);
  if (c < work.channels) general_tile<false>(work, c, int(work.channels - c));
}

struct DepthwiseForm {
  void (*pixels)(const DepthwiseWork&);
  bool columns;  // pointers are [row][column]
};

inline DepthwiseForm depthwise_form(const Window& window) {
  const std::int64_t kernel = window.kernel_x, stride = window.stride_x;
  if (window.dilation_x == 1 && window.kernel_y <= 5) {
    if (kernel == 3 && stride == 1) return {column_pixels<3, 1>, true};
    if (kernel == 3 && stride == 2) return {column_pixels<3, 2>, true};
    if (kernel == 5 && stride == 1) return {column_pixels<5, 1>, true};
    if (kernel == 5 && stride == 2) return {column_pixels<5, 2>, true};
  }
  return {general_pixels, false};
}

// The input pixel (y, x) of an image, or the zeros.
struct PixelSource {
  const std::byte* image;
  const Operand* operand;
  const float* zeros;

  const float* row_at(std::int64_t x, const std::byte* row) const {
    return std::uint64_t(x) < std::uint64_t(operand->shape[3]) ? reinterpret_cast<const float*>(row + x * operand->stride[3]) : zeros;
  }
};

void conv_depthwise(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const Operand* residual = call.num_operands > 4 && call.operand[4].data ? &call.operand[4] : nullptr;
  const Window window = Window::of(call, 0);
  const std::int64_t channels = x.shape[1], height = out.shape[2], width = out.shape[3];
  const DepthwiseForm form = depthwise_form(window);
  const Epilogue finish = epilogue(call, 8);
  const auto pointers = reinterpret_cast<const float**>(call.workspace);
  const auto zeros = reinterpret_cast<float*>(pointers + std::max<std::int64_t>(window.taps() * kPixels, 5 * 19));
  std::fill(zeros, zeros + channels + kLanes, 0.0f);
  const auto weight = reinterpret_cast<const float*>(call.operand[2].data);
  DepthwiseWork work{};
  work.pointer = pointers, work.channels = channels, work.finish = &finish;
  work.bias = call.num_operands > 3 ? reinterpret_cast<const float*>(call.operand[3].data) : nullptr;
  work.out_step = out.stride[3] / 4, work.residual_step = residual ? residual->stride[3] / 4 : 0;
  const std::int64_t columns = (kPixels - 1) * window.stride_x + window.kernel_x;

  const Piece mine = piece(call, out.shape[0] * height);
  for (std::int64_t line = mine.begin; line < mine.end; ++line) {
    const std::int64_t image = line / height, y = line % height, in_y = y * window.stride_y - window.pad_top;
    // Tap rows that meet the image: first <= i < last.
    const std::int64_t dy = window.dilation_y, above = in_y < 0 ? (-in_y + dy - 1) / dy : 0;
    const std::int64_t first = std::min(above, window.kernel_y);
    const std::int64_t below = x.shape[2] - in_y;
    const std::int64_t last = std::clamp<std::int64_t>(below <= 0 ? 0 : (below + dy - 1) / dy, first, window.kernel_y);
    const PixelSource source{x.data + image * x.stride[0], &x, zeros};
    work.weight = weight + first * window.kernel_x * channels;
    for (std::int64_t at = 0; at < width; at += kPixels) {
      const std::int64_t in_x = at * window.stride_x - window.pad_left;
      const float** to = pointers;
      for (std::int64_t i = first; i < last; ++i) {
        const std::byte* row = source.image + (in_y + i * dy) * x.stride[2];
        if (form.columns)
          for (std::int64_t column = 0; column < columns; ++column) *to++ = source.row_at(in_x + column, row);
        else
          for (std::int64_t j = 0; j < window.kernel_x; ++j)
            for (int p = 0; p < kPixels; ++p) *to++ = source.row_at(in_x + p * window.stride_x + j * window.dilation_x, row);
      }
      work.rows = form.columns ? last - first : (last - first) * window.kernel_x;
      work.pixels = int(std::min<std::int64_t>(kPixels, width - at));
      work.out = reinterpret_cast<float*>(out.data + image * out.stride[0] + y * out.stride[2] + at * out.stride[3]);
      if (residual)
        work.residual = reinterpret_cast<const float*>(residual->data + image * residual->stride[0] + y * residual->stride[2] +
                                                       at * residual->stride[3]);
      form.pixels(work);
    }
  }
}

}  // namespace netwright::NETWRIGHT_ISA
