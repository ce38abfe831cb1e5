// A transposed convolution whose windows do not overlap (kernel == stride): one product with kernel * outputs columns for
// each input pixel, made a block at a time and written to the pixels that it covers.
#pragma once

#include <algorithm>

#include "kernels/float_kernels.hpp"
#include "kernels/float_pack.hpp"
#include "kernels/float_tile.hpp"
#include "kernels/float_window.hpp"

namespace netwright {

struct SpreadBlocks {
  std::int64_t columns;          // kernel * outputs
  std::int64_t padded;           // of a row of the block: whole panels, so that tiles store whole vectors
  std::int64_t height, width;    // input pixels whose windows meet the output; those past the input are zeros
  std::int64_t rows;             // pixels of a block

  static SpreadBlocks of(const Call& call, const Window& window) {
    const Operand& out = call.operand[0];
    const std::int64_t columns = window.taps() * out.shape[1];
    return {columns, PanelLayout{columns}.padded(), (out.shape[2] + window.pad_top + window.stride_y - 1) / window.stride_y,
            (out.shape[3] + window.pad_left + window.stride_x - 1) / window.stride_x,
            std::clamp<std::int64_t>(64 * 1024 / (4 * columns), 12, 96)};
  }
  // Pointers to x and to the block, the block, bias for every column, zeros.
  std::int64_t workspace_bytes(std::int64_t channels) const { return rows * 16 + 4 * ((rows + 1) * padded + channels) + 64; }
};

}  // namespace netwright

namespace netwright::NETWRIGHT_ISA {

class SpreadConvolution {
 public:
  explicit SpreadConvolution(const Call& call)
      : call_(call), out_(call.operand[0]), x_(call.operand[1]), window_(Window::of(call, 0)), blocks_(SpreadBlocks::of(call, window_)),
        finish_(epilogue(call, 9)) {
    rows_ = reinterpret_cast<const float**>(call.workspace);
    outs_ = reinterpret_cast<float**>(call.workspace) + blocks_.rows;
    block_ = reinterpret_cast<float*>(outs_ + blocks_.rows);
    bias_ = block_ + blocks_.rows * blocks_.padded;
    zeros_ = bias_ + blocks_.padded;
    std::fill(zeros_, zeros_ + x_.shape[1], 0.0f);
    const auto bias = call.num_operands > 3 ? reinterpret_cast<const float*>(call.operand[3].data) : nullptr;
    for (std::int64_t c = 0; c < blocks_.padded; ++c) bias_[c] = bias && c < blocks_.columns ? bias[c % out_.shape[1]] : 0.0f;
    residual_ = call.num_operands > 4 && call.operand[4].data ? &call.operand[4] : nullptr;
    plain_ = {splat(-std::numeric_limits<float>::infinity()), splat(std::numeric_limits<float>::infinity()), nullptr, 0, 0};
  }

  void run() {
    const std::int64_t pixels = out_.shape[0] * blocks_.height * blocks_.width;
    const Piece mine = piece(call_, pixels, blocks_.rows);
    const PanelLayout layout{blocks_.columns};
    const std::int64_t channels = x_.shape[1], no_offset = 0;
    TileWork work{};
    work.rows = rows_, work.out = outs_, work.taps = 1, work.tap_weight = &no_offset, work.depth = channels;
    work.first = work.last = true, work.bias = bias_, work.finish = residual_ ? &plain_ : &finish_;
    for (std::int64_t begin = mine.begin; begin < mine.end; begin += blocks_.rows) {
      const std::int64_t count = std::min(blocks_.rows, mine.end - begin);
      Place place = first(begin);
      for (std::int64_t r = 0; r < count; ++r, advance(place)) {
        rows_[r] = source(place);
        outs_[r] = block_ + r * blocks_.padded;
      }
      for (std::int64_t index = 0; index < layout.num_panels(); ++index) {
        work.panel = layout.panel(index);
        work.panel.outputs = work.panel.width;
        work.weight = reinterpret_cast<const float*>(call_.operand[2].data) + work.panel.column * channels;
        run_rows(work, count);
      }
      place = first(begin);
      for (std::int64_t r = 0; r < count; ++r, advance(place)) spread(place, outs_[r]);
    }
  }

 private:
  // An input pixel; counted on, since a division a pixel would take longer than a narrow product.
  struct Place {
    std::int64_t image, y, x;
  };
  Place first(std::int64_t pixel) const {
    return {pixel / blocks_.width / blocks_.height, pixel / blocks_.width % blocks_.height, pixel % blocks_.width};
  }
  void advance(Place& place) const {
    if (++place.x < blocks_.width) return;
    place.x = 0;
    if (++place.y == blocks_.height) place.y = 0, ++place.image;
  }

  const float* source(const Place& place) const {
    const auto [image, y, x] = place;
    if (y >= x_.shape[2] || x >= x_.shape[3]) return zeros_;
    return reinterpret_cast<const float*>(x_.data + image * x_.stride[0] + y * x_.stride[2] + x * x_.stride[3]);
  }

  void spread(const Place& place, const float* from) const {
    const auto [image, y, x] = place;
    const std::int64_t outputs = out_.shape[1], left = x * window_.stride_x - window_.pad_left;
    const std::int64_t first = std::max<std::int64_t>(0, -left), last = std::min(window_.kernel_x, out_.shape[3] - left);
    const bool adjacent = out_.stride[3] == 4 * outputs && !residual_;
    for (std::int64_t i = 0; i < window_.kernel_y; ++i) {
      const std::int64_t row = y * window_.stride_y - window_.pad_top + i;
      if (row < 0 || row >= out_.shape[2]) continue;
      std::byte* to = out_.data + image * out_.stride[0] + row * out_.stride[2] + left * out_.stride[3];
      const float* values = from + i * window_.kernel_x * outputs;
      if (adjacent) {
        copy_floats(reinterpret_cast<float*>(to + first * out_.stride[3]), values + first * outputs, (last - first) * outputs);
        continue;
      }
      for (std::int64_t j = first; j < last; ++j) {
        const auto pixel_out = reinterpret_cast<float*>(to + j * out_.stride[3]);
        if (residual_) add_residual(pixel_out, values + j * outputs, image, row, left + j);
        else copy_floats(pixel_out, values + j * outputs, outputs);
      }
    }
  }

  static void copy_floats(float* to, const float* from, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
  }

  // What the tile could not finish, since the residual of each pixel of a window lies elsewhere. out may be the residual.
  void add_residual(float* to, const float* from, std::int64_t image, std::int64_t y, std::int64_t x) const {
    const auto other = reinterpret_cast<const float*>(residual_->data + image * residual_->stride[0] + y * residual_->stride[2] +
                                                      x * residual_->stride[3]);
    const std::int64_t outputs = out_.shape[1];
    for (std::int64_t i = 0; i < outputs; ++i) to[i] = from[i] + other[i];
    if (finish_.loop) finish_.loop(to, to, outputs, finish_.alpha, finish_.beta);
    if (finish_.swish)
      for (std::int64_t i = 0; i < outputs; ++i)
        to[i] = evaluate<Function::scaled_hard_swish>(splat(to[i]), splat(finish_.alpha), splat(finish_.beta))[0];
    for (std::int64_t i = 0; i < outputs; ++i) to[i] = clamp(splat(to[i]), finish_.low, finish_.high)[0];
  }

  const Call& call_;
  const Operand &out_, &x_;
  const Operand* residual_;
  Window window_;
  SpreadBlocks blocks_;
  Epilogue finish_, plain_;
  const float** rows_;
  float** outs_;
  float *block_, *bias_, *zeros_;
};

void transpose_spread(const Call& call) { SpreadConvolution(call).run(); }

}  // namespace netwright::NETWRIGHT_ISA
