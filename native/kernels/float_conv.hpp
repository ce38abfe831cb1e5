// conv_packed and conv_transpose: implicit GEMM over pointers, one for each (output pixel, tap); taps that fall
// outside point to a row of zeros. A transposed convolution is, for each residue of the output pixel modulo the
// stride, an ordinary one with the taps that reach that residue: it gathers, so it needs no scatter and no sum.
#pragma once

#include <algorithm>

#include "kernels/float_kernels.hpp"
#include "kernels/float_tile.hpp"
#include "kernels/float_window.hpp"

namespace netwright {

inline TransposeShape transpose_shape(const Call& call) {
  const std::int64_t* p = call.parameter;
  return {p[0], p[1], p[2], p[3], p[6], p[7], p[8]};
}

struct ConvBlocks {
  std::int64_t rows;  // output pixels whose pointers are kept at a time
  bool lines;         // few channels: a kernel's row is one tap of kernel_x * channels inputs
  std::int64_t pointers;  // of each pixel

  static ConvBlocks of(const Call& call, const Window& window, std::int64_t groups, bool transpose) {
    const std::int64_t channels = call.operand[1].shape[1], taps = window.taps();
    const bool lines = !transpose && groups == 1 && channels <= 8 && taps > 1;
    const std::int64_t row_bytes = 4 * channels * (lines ? taps : transpose ? 1 : std::min(taps, window.stride_y * window.stride_x));
    std::int64_t rows = taps > 1024 ? 12 : std::clamp<std::int64_t>(128 * 1024 / row_bytes, 12, 96), pixels = 1;
    for (const int d : {0, 2, 3}) pixels = std::min(pixels * call.operand[0].shape[d], rows);  // cannot overflow
    rows = std::max<std::int64_t>(pixels, 1);
    return {rows, lines, lines ? window.kernel_y : taps};
  }
  std::int64_t workspace_bytes(std::int64_t channels, std::int64_t taps) const {
    const std::int64_t patches = lines ? rows * taps * channels * 4 : 0;
    return channels * 4 + 64 + patches + taps * 32 + rows * (pointers + 2) * 8;
  }
};

}  // namespace netwright

namespace netwright::NETWRIGHT_ISA {

struct Tap {
  std::int64_t dy, dx;  // input pixel = output step * input step + d
  std::int64_t bytes;   // from the input pixel of (0, 0) to this one
};

// Output pixels (begin + i * step), and the taps that reach them.
struct Phase {
  std::int64_t begin_y, begin_x, step_y, step_x, count_y, count_x;
  std::int64_t input_step_y, input_step_x;
  std::int64_t num_taps;
};

class Convolution {
 public:
  Convolution(const Call& call, std::int64_t groups, bool transpose, int function_parameter)
      : call_(call), out_(call.operand[0]), x_(call.operand[1]), window_(Window::of(call, 0)), transpose_(transpose),
        blocks_(ConvBlocks::of(call, window_, groups, transpose)), groups_(groups),
        channels_(x_.shape[1] / groups), layout_{out_.shape[1] / groups}, finish_(epilogue(call, function_parameter)) {
    const std::int64_t taps = window_.taps();
    tap_ = reinterpret_cast<Tap*>(call.workspace);
    tap_weight_ = reinterpret_cast<std::int64_t*>(tap_ + taps);
    outs_ = reinterpret_cast<float**>(tap_weight_ + taps);
    residuals_ = reinterpret_cast<const float**>(tap_weight_ + taps) + blocks_.rows;
    rows_ = residuals_ + blocks_.rows;
    zeros_ = reinterpret_cast<float*>(outs_ + (2 + blocks_.pointers) * blocks_.rows);
    patches_ = zeros_ + x_.shape[1];
    std::fill(zeros_, zeros_ + x_.shape[1], 0.0f);
    residual_ = call.num_operands > 4 && call.operand[4].data ? &call.operand[4] : nullptr;
  }

  void run() {
    const std::int64_t phases_y = transpose_ ? std::min(window_.stride_y, out_.shape[2]) : 1;
    const std::int64_t phases_x = transpose_ ? std::min(window_.stride_x, out_.shape[3]) : 1;
    std::int64_t total = 0;
    for (std::int64_t p = 0; p < phases_y * phases_x; ++p) total += units(phase(p / phases_x, p % phases_x));
    const Piece mine = piece(call_, total);
    std::int64_t start = 0;
    for (std::int64_t p = 0; p < phases_y * phases_x && start < mine.end; ++p) {
      phase_ = phase(p / phases_x, p % phases_x);
      const std::int64_t count = units(phase_);
      const std::int64_t begin = std::max(mine.begin - start, std::int64_t{0}), end = std::min(mine.end - start, count);
      if (begin < end) {
        set_taps(p / phases_x, p % phases_x);
        run_phase(begin, end);
      }
      start += count;
    }
  }

 private:
  Phase phase(std::int64_t y, std::int64_t x) const {
    if (!transpose_) return {0, 0, 1, 1, out_.shape[2], out_.shape[3], window_.stride_y, window_.stride_x, 0};
    return {y, x, window_.stride_y, window_.stride_x, (out_.shape[2] - y + window_.stride_y - 1) / window_.stride_y,
            (out_.shape[3] - x + window_.stride_x - 1) / window_.stride_x, 1, 1, 0};
  }
  std::int64_t pixels(const Phase& phase) const { return out_.shape[0] * phase.count_y * phase.count_x; }
  std::int64_t units(const Phase& phase) const {
    return (pixels(phase) + blocks_.rows - 1) / blocks_.rows * groups_ * layout_.num_panels();
  }

  void set_taps(std::int64_t phase_y, std::int64_t phase_x) {
    phase_.num_taps = 0, width_ = 1;
    for (std::int64_t i = 0; i < window_.kernel_y; ++i)
      for (std::int64_t j = 0; j < window_.kernel_x; ++j) {
        std::int64_t dy = i * window_.dilation_y - window_.pad_top, dx = j * window_.dilation_x - window_.pad_left;
        if (transpose_) {
          dy = phase_y - dy, dx = phase_x - dx;
          if (dy % window_.stride_y || dx % window_.stride_x) continue;
          dy /= window_.stride_y, dx /= window_.stride_x;
        }
        tap_[phase_.num_taps] = {dy, dx, dy * x_.stride[2] + dx * x_.stride[3]};
        tap_weight_[phase_.num_taps++] = (i * window_.kernel_x + j) * channels_;
      }
    if (blocks_.lines)
      for (std::int64_t i = 0; i < window_.kernel_y; ++i) tap_weight_[i] = i * window_.kernel_x * channels_;
  }

  // Fills the pointers of the pixels [begin, begin + count) of this phase.
  void point(std::int64_t begin, std::int64_t count) {
    std::int64_t x = begin % phase_.count_x, y = begin / phase_.count_x % phase_.count_y;
    std::int64_t image = begin / (phase_.count_x * phase_.count_y);
    const std::int64_t row_taps = work_taps();
    for (std::int64_t r = 0; r < count; ++r) {
      const std::int64_t out_y = phase_.begin_y + y * phase_.step_y, out_x = phase_.begin_x + x * phase_.step_x;
      outs_[r] = reinterpret_cast<float*>(out_.data + image * out_.stride[0] + out_y * out_.stride[2] + out_x * out_.stride[3]);
      if (residual_)
        residuals_[r] = reinterpret_cast<const float*>(residual_->data + image * residual_->stride[0] + out_y * residual_->stride[2] +
                                                       out_x * residual_->stride[3]);
      const std::int64_t in_y = y * phase_.input_step_y, in_x = x * phase_.input_step_x;
      if (blocks_.lines) point_lines(rows_ + r * row_taps, patches_ + r * window_.taps() * channels_, image, in_y, in_x);
      else point_pixel(rows_ + r * row_taps, image, in_y, in_x);
      if (++x == phase_.count_x) {
        x = 0;
        if (++y == phase_.count_y) y = 0, ++image;
      }
    }
  }

  bool inside(std::int64_t y, std::int64_t x) const {
    return std::uint64_t(y) < std::uint64_t(x_.shape[2]) && std::uint64_t(x) < std::uint64_t(x_.shape[3]);
  }
  // A window is a box, so its two corners tell whether all of it is inside.
  bool all_inside(std::int64_t y, std::int64_t x) const {
    if (phase_.num_taps == 0) return true;
    const Tap &first = tap_[0], &last = tap_[phase_.num_taps - 1];
    return inside(y + first.dy, x + first.dx) && inside(y + last.dy, x + last.dx);
  }

  void point_pixel(const float** row, std::int64_t image, std::int64_t y, std::int64_t x) const {
    const std::byte* origin = x_.data + image * x_.stride[0] + y * x_.stride[2] + x * x_.stride[3];
    if (all_inside(y, x)) {
      for (std::int64_t t = 0; t < phase_.num_taps; ++t) row[t] = reinterpret_cast<const float*>(origin + tap_[t].bytes);
      return;
    }
    for (std::int64_t t = 0; t < phase_.num_taps; ++t)
      row[t] = inside(y + tap_[t].dy, x + tap_[t].dx) ? reinterpret_cast<const float*>(origin + tap_[t].bytes) : zeros_;
  }

  std::int64_t work_taps() const { return blocks_.lines ? window_.kernel_y : phase_.num_taps; }

  // One pointer a kernel row: into x where that row lies whole and adjacent, else into a copy of the pixel's patch.
  void point_lines(const float** row, float* patch, std::int64_t image, std::int64_t y, std::int64_t x) const {
    const std::byte* origin = x_.data + image * x_.stride[0] + y * x_.stride[2] + x * x_.stride[3];
    const bool whole = all_inside(y, x), adjacent = window_.dilation_x == 1 && x_.stride[3] == 4 * channels_;
    for (std::int64_t i = 0; i < window_.kernel_y; ++i) {
      const Tap* taps = tap_ + i * window_.kernel_x;
      row[i] = whole && adjacent ? reinterpret_cast<const float*>(origin + taps->bytes) : patch + i * window_.kernel_x * channels_;
    }
    if (whole && adjacent) return;
    for (std::int64_t t = 0; t < phase_.num_taps; ++t) {
      const bool real = whole || inside(y + tap_[t].dy, x + tap_[t].dx);
      const float* from = real ? reinterpret_cast<const float*>(origin + tap_[t].bytes) : zeros_;
      for (std::int64_t k = 0; k < channels_; ++k) patch[t * channels_ + k] = from[k];
    }
  }

  void run_phase(std::int64_t begin, std::int64_t end) {
    const std::int64_t panels = layout_.num_panels(), outputs = layout_.outputs, taps = window_.taps();
    const std::int64_t group_floats = packed_floats(outputs, channels_, taps, 1);
    const auto weight = reinterpret_cast<const float*>(call_.operand[2].data);
    TileWork work{};
    work.rows = rows_, work.out = outs_, work.residual = residual_ ? residuals_ : nullptr;
    work.taps = work_taps(), work.depth = blocks_.lines ? window_.kernel_x * channels_ : channels_;
    work.bias = call_.num_operands > 3 ? reinterpret_cast<const float*>(call_.operand[3].data) : nullptr;
    work.first = work.last = true, work.finish = &finish_, work.tap_weight = tap_weight_;
    std::int64_t loaded = -1, count = 0;
    for (std::int64_t unit = begin; unit < end;) {
      const std::int64_t index = unit % panels, group = unit / panels % groups_, block = unit / panels / groups_;
      if (block != loaded) {
        loaded = block;
        count = std::min(blocks_.rows, pixels(phase_) - block * blocks_.rows);
        point(block * blocks_.rows, count);
      }
      work.panel = layout_.panel(index);
      if (work.panel.width != width_) set_width(work.panel.width);
      work.weight = weight + group * group_floats + work.panel.column * channels_ * taps;
      work.row_offset = group * channels_;
      work.panel.column += group * outputs;
      std::int64_t done = 0;
      if (count <= 3) done = run_thin(work, count, std::min(end - unit, panels - 1 - index), kPanelWidth * channels_ * taps);
      if (!done) {
        const std::int64_t panel_floats = kPanelWidth * channels_ * taps;
        done = panels_together(layout_, index, std::min(end - unit, panels - index), panel_floats);
        run_rows(work, count, done, panel_floats, layout_.panel(index + done - 1).outputs);
      }
      unit += done;
    }
  }

  // tap_weight_ holds inputs before each tap; a panel's width makes floats of them.
  void set_width(std::int64_t width) {
    for (std::int64_t t = 0; t < phase_.num_taps; ++t) tap_weight_[t] = tap_weight_[t] / width_ * width;
    width_ = width;
  }

  const Call& call_;
  const Operand &out_, &x_;
  const Operand* residual_;
  Window window_;
  bool transpose_;
  ConvBlocks blocks_;
  std::int64_t groups_, channels_, width_ = 1;
  PanelLayout layout_;
  Epilogue finish_;
  Phase phase_{};
  Tap* tap_;
  std::int64_t* tap_weight_;
  const float** rows_;
  float** outs_;
  const float** residuals_;
  float* zeros_;
  float* patches_;
};

void conv_packed(const Call& call) { Convolution(call, call.parameter[8], false, 9).run(); }
void conv_transpose(const Call& call) {
  if (transpose_shape(call).spreads()) return transpose_spread(call);
  Convolution(call, call.parameter[8], true, 9).run();
}

}  // namespace netwright::NETWRIGHT_ISA
