// conv_winograd: 3x3 windows of stride 1 in fewer multiplications, F(m x m, 3x3) with m = 2 or 4 (Lavin and Gray 2015,
// "Fast algorithms for convolutional neural networks", arXiv:1509.09308, equations 10 to 15): an m x m tile of outputs
// is A^T [(G g G^T) * (B^T d B)] A, with (m + 2)^2 products for each pair of channels where the window takes 9 m^2.
// G g G^T is made when weights are packed. Sums over channels are products of matrices, k in order, by the tile of
// float_tile.hpp, so bits depend neither on parts nor on how tiles are blocked.
// The error of an output, in units of 2^-24, is at most (C + 24) |A|^T [sum over C of (|G||g||G|^T) * (|B|^T|d||B|)] |A|.
#pragma once

#include <algorithm>

#include "kernels/float_kernels.hpp"
#include "kernels/float_rows.hpp"
#include "kernels/float_tile.hpp"
#include "kernels/float_window.hpp"

namespace netwright {

inline constexpr std::int64_t kMaxPanelWidth = 24;

struct WinogradShape {
  std::int64_t outputs_a_side, pad_top, pad_left;

  static WinogradShape of(const Call& call) { return {call.parameter[0], call.parameter[1], call.parameter[2]}; }
  std::int64_t side() const { return outputs_a_side + 2; }
  std::int64_t positions() const { return side() * side(); }
  std::int64_t tiles(std::int64_t extent) const { return (extent + outputs_a_side - 1) / outputs_a_side; }
};

struct WinogradBlocks {
  std::int64_t tiles;         // whose transformed inputs are kept at a time
  std::int64_t plane_floats;  // of one position of all of them: an odd number of lines, so that positions share no set

  static WinogradBlocks of(const WinogradShape& shape, std::int64_t channels) {
    const std::int64_t fit = 192 * 1024 / (4 * shape.positions() * channels);
    const std::int64_t tiles = fit >= 48 ? 48 : fit >= 24 ? 24 : 12;
    return {tiles, ((tiles * channels + 15) / 16 | 1) * 16};
  }
  std::int64_t sums_floats() const { return tiles * kMaxPanelWidth; }  // of one position of a panel
  std::int64_t workspace_bytes(const WinogradShape& shape, std::int64_t channels) const {
    const std::int64_t zeros = (channels + 15) / 16 * 16;
    return 4 * (shape.positions() * (plane_floats + sums_floats()) + zeros) + 8 * tiles;
  }
};

}  // namespace netwright

namespace netwright::NETWRIGHT_ISA {

template <int M>
struct Transforms;

template <>
struct Transforms<2> {
  NETWRIGHT_INLINE static void input(const Vec (&d)[4], Vec (&v)[4]) {
    v[0] = d[0] - d[2], v[1] = d[1] + d[2], v[2] = d[2] - d[1], v[3] = d[1] - d[3];
  }
  NETWRIGHT_INLINE static void output(const Vec (&s)[4], Vec (&y)[2]) { y[0] = s[0] + s[1] + s[2], y[1] = s[1] - s[2] - s[3]; }
};

template <>
struct Transforms<4> {
  NETWRIGHT_INLINE static void input(const Vec (&d)[6], Vec (&v)[6]) {
    const Vec four = splat(4.0f), minus_four = splat(-4.0f), minus_five = splat(-5.0f), two = splat(2.0f), minus_two = splat(-2.0f);
    const Vec even = fma(minus_four, d[2], d[4]), odd = fma(minus_four, d[1], d[3]);
    const Vec far_even = d[4] - d[2], far_odd = d[3] - d[1];
    v[0] = fma(four, d[0], fma(minus_five, d[2], d[4]));
    v[1] = even + odd, v[2] = even - odd;
    v[3] = fma(two, far_odd, far_even), v[4] = fma(minus_two, far_odd, far_even);
    v[5] = fma(four, d[1], fma(minus_five, d[3], d[5]));
  }
  NETWRIGHT_INLINE static void output(const Vec (&s)[6], Vec (&y)[4]) {
    const Vec near = s[1] + s[2], across = s[1] - s[2], far = s[3] + s[4], over = s[3] - s[4];
    y[0] = s[0] + near + far;
    y[1] = fma(splat(2.0f), over, across);
    y[2] = fma(splat(4.0f), far, near);
    y[3] = fma(splat(8.0f), over, across) + s[5];
  }
};

template <int M>
class Winograd {
 public:
  static constexpr int kSide = M + 2, kPositions = kSide * kSide;

  explicit Winograd(const Call& call)
      : call_(call), out_(call.operand[0]), x_(call.operand[1]), shape_(WinogradShape::of(call)), channels_(x_.shape[1]),
        blocks_(WinogradBlocks::of(shape_, channels_)), tiles_y_(shape_.tiles(out_.shape[2])), tiles_x_(shape_.tiles(out_.shape[3])),
        layout_{out_.shape[1]}, finish_(epilogue(call, 3)) {
    inputs_ = reinterpret_cast<float*>(call.workspace);
    sums_ = inputs_ + kPositions * blocks_.plane_floats;
    zeros_ = sums_ + kPositions * blocks_.sums_floats();
    rows_ = reinterpret_cast<const float**>(zeros_ + (channels_ + 15) / 16 * 16);
    std::fill(zeros_, zeros_ + channels_, 0.0f);
    for (std::int64_t t = 0; t < blocks_.tiles; ++t) rows_[t] = inputs_ + t * channels_;
  }

  void run() {
    const std::int64_t tiles = out_.shape[0] * tiles_y_ * tiles_x_, panels = layout_.num_panels();
    const Piece mine = piece(call_, (tiles + blocks_.tiles - 1) / blocks_.tiles * panels);
    std::int64_t loaded = -1, count = 0;
    for (std::int64_t unit = mine.begin; unit < mine.end; ++unit) {
      const std::int64_t block = unit / panels;
      if (block != loaded) {
        loaded = block;
        count = std::min(blocks_.tiles, tiles - block * blocks_.tiles);
        for (std::int64_t t = 0; t < count; ++t) transform_input(block * blocks_.tiles + t, t);
      }
      const Panel panel = layout_.panel(unit % panels);
      multiply(panel, count);
      for (std::int64_t t = 0; t < count; ++t) transform_output(block * blocks_.tiles + t, t, panel);
    }
  }

 private:
  struct Place {
    std::int64_t image, y, x;  // of the tile's first output
  };
  Place place(std::int64_t tile) const {
    return {tile / (tiles_x_ * tiles_y_), tile / tiles_x_ % tiles_y_ * M, tile % tiles_x_ * M};
  }

  void transform_input(std::int64_t tile, std::int64_t at) const {
    const Place first = place(tile);
    const float* from[kPositions];
    for (std::int64_t i = 0; i < kSide; ++i)
      for (std::int64_t j = 0; j < kSide; ++j) {
        const std::int64_t y = first.y - shape_.pad_top + i, x = first.x - shape_.pad_left + j;
        const bool inside = std::uint64_t(y) < std::uint64_t(x_.shape[2]) && std::uint64_t(x) < std::uint64_t(x_.shape[3]);
        const std::byte* pixel = x_.data + first.image * x_.stride[0] + y * x_.stride[2] + x * x_.stride[3];
        from[i * kSide + j] = inside ? reinterpret_cast<const float*>(pixel) : zeros_;
      }
    float* to = inputs_ + at * channels_;
    each_vector(channels_, [&](std::int64_t k, auto lanes) {
      Vec half[kSide][kSide];  // B^T d
#pragma GCC unroll 6
      for (int j = 0; j < kSide; ++j) {
        Vec d[kSide], v[kSide];
#pragma GCC unroll 6
        for (int i = 0; i < kSide; ++i) d[i] = read(from[i * kSide + j] + k, lanes);
        Transforms<M>::input(d, v);
#pragma GCC unroll 6
        for (int i = 0; i < kSide; ++i) half[i][j] = v[i];
      }
#pragma GCC unroll 6
      for (int i = 0; i < kSide; ++i) {
        Vec v[kSide];
        Transforms<M>::input(half[i], v);
#pragma GCC unroll 6
        for (int j = 0; j < kSide; ++j) write(to + (i * kSide + j) * blocks_.plane_floats + k, v[j], lanes);
      }
    });
  }

  // For each position the product of the tiles' inputs [count, C] with the panel [C, width], into sums_.
  void multiply(const Panel& panel, std::int64_t count) const {
    const std::int64_t no_offset = 0;
    TileWork work{};
    work.rows = rows_, work.taps = 1, work.tap_weight = &no_offset, work.depth = channels_, work.panel = panel;
    work.first = true, work.last = false;  // the sums stay partial
    const auto weight = reinterpret_cast<const float*>(call_.operand[2].data) + panel.column * channels_ * kPositions;
    for (std::int64_t p = 0; p < kPositions; ++p) {
      work.row_offset = p * blocks_.plane_floats;
      work.weight = weight + p * channels_ * panel.width;
      work.partial = sums_ + p * blocks_.sums_floats();
      run_rows(work, count);
    }
  }

  void transform_output(std::int64_t tile, std::int64_t at, const Panel& panel) const {
    const Place first = place(tile);
    const std::int64_t rows = std::min<std::int64_t>(M, out_.shape[2] - first.y), columns = std::min<std::int64_t>(M, out_.shape[3] - first.x);
    const Operand* residual = call_.num_operands > 4 && call_.operand[4].data ? &call_.operand[4] : nullptr;
    TileWork work{};
    work.bias = call_.num_operands > 3 ? reinterpret_cast<const float*>(call_.operand[3].data) : nullptr;
    work.finish = &finish_;
    float* to[M * M];
    const float* add[M * M];
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) {
        to[i * M + j] = reinterpret_cast<float*>(pixel(out_, first, i, j));
        if (residual) add[i * M + j] = reinterpret_cast<const float*>(pixel(*residual, first, i, j));
      }
    work.out = to, work.residual = residual ? add : nullptr;
    for (std::int64_t lane = 0; lane < panel.outputs; lane += kLanes) {
      Vec y[M][M];
      sum_tile(sums_ + at * panel.width + lane, y);
      work.panel = {panel.column + lane, kLanes, std::min<std::int64_t>(kLanes, panel.outputs - lane)};
      for (std::int64_t i = 0; i < rows; ++i) {
        if (columns == M) finish_row<M>(work, i * M, y[i]);
        else for (std::int64_t j = 0; j < columns; ++j) finish_row<1>(work, i * M + j, y[i] + j);
      }
    }
  }

  std::byte* pixel(const Operand& image, const Place& first, std::int64_t i, std::int64_t j) const {
    return image.data + first.image * image.stride[0] + (first.y + i) * image.stride[2] + (first.x + j) * image.stride[3];
  }

  // A^T s A of eight outputs.
  NETWRIGHT_INLINE void sum_tile(const float* sums, Vec (&y)[M][M]) const {
    Vec half[M][kSide];
#pragma GCC unroll 6
    for (int j = 0; j < kSide; ++j) {
      Vec s[kSide], column[M];
#pragma GCC unroll 6
      for (int i = 0; i < kSide; ++i) s[i] = load(sums + (i * kSide + j) * blocks_.sums_floats());
      Transforms<M>::output(s, column);
#pragma GCC unroll 4
      for (int i = 0; i < M; ++i) half[i][j] = column[i];
    }
#pragma GCC unroll 4
    for (int i = 0; i < M; ++i) Transforms<M>::output(half[i], y[i]);
  }

  template <int COUNT>
  NETWRIGHT_INLINE static void finish_row(const TileWork& work, std::int64_t row, const Vec* y) {
    Vec acc[COUNT][1];
#pragma GCC unroll 4
    for (int j = 0; j < COUNT; ++j) acc[j][0] = y[j];
    finish_tile<COUNT, 1>(work, row, acc);
  }

  const Call& call_;
  const Operand &out_, &x_;
  WinogradShape shape_;
  std::int64_t channels_;
  WinogradBlocks blocks_;
  std::int64_t tiles_y_, tiles_x_;
  PanelLayout layout_;
  Epilogue finish_;
  float* inputs_;        // [position][tile][C]
  float* sums_;          // [position][tile][panel width]
  float* zeros_;         // [C]
  const float** rows_;   // [tile], into inputs_ at position 0
};

void conv_winograd(const Call& call) {
  if (call.parameter[0] == 2) Winograd<2>(call).run();
  else Winograd<4>(call).run();
}

}  // namespace netwright::NETWRIGHT_ISA
