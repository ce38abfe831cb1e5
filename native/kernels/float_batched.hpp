// matmul_batched: out = scale * a b, both computed, any strides of a and b. Each panel of b (and, unless its rows are
// contiguous, each block of a) is packed into the workspace, then the register tile of float_tile.hpp runs over it.
#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/float_kernels.hpp"
#include "kernels/float_tile.hpp"

namespace netwright {

struct BatchedBlocks {
  static constexpr std::int64_t kRows = 192, kDepth = 384;
  std::int64_t rows, depth;

  static BatchedBlocks of(std::int64_t num_rows, std::int64_t inputs) {
    const auto even = [](std::int64_t count, std::int64_t most) {
      const std::int64_t blocks = std::max<std::int64_t>((count + most - 1) / most, 1);
      return std::max<std::int64_t>((count + blocks - 1) / blocks, 1);
    };
    return {even(num_rows, kRows), even(inputs, kDepth)};
  }
  // Row pointers of a and out, partial sums, a panel of b, a block of a.
  std::int64_t workspace_bytes() const { return rows * 16 + 4 * (rows * 24 + depth * 24 + rows * depth) + 64; }
};

}  // namespace netwright

namespace netwright::NETWRIGHT_ISA {

// Lanes i of rows j become lanes j of rows i.
NETWRIGHT_INLINE void transpose8(Vec (&row)[8]) {
  Vec t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shuffle(row[i], row[i + 1], IntVec{0, 8, 1, 9, 4, 12, 5, 13});
    t[i + 1] = __builtin_shuffle(row[i], row[i + 1], IntVec{2, 10, 3, 11, 6, 14, 7, 15});
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; ++j) {
      row[i + 2 * j] = __builtin_shuffle(t[i + j], t[i + j + 2], IntVec{0, 1, 8, 9, 4, 5, 12, 13});
      row[i + 2 * j + 1] = __builtin_shuffle(t[i + j], t[i + j + 2], IntVec{2, 3, 10, 11, 6, 7, 14, 15});
    }
  for (int i = 0; i < 4; ++i) {
    t[i] = __builtin_shuffle(row[i], row[i + 4], IntVec{0, 1, 2, 3, 8, 9, 10, 11});
    t[i + 4] = __builtin_shuffle(row[i], row[i + 4], IntVec{4, 5, 6, 7, 12, 13, 14, 15});
  }
  for (int i = 0; i < 8; ++i) row[i] = t[i];
}

// A matrix in memory; strides in bytes.
struct Matrix {
  const std::byte* data;
  std::int64_t row, column;
  float at(std::int64_t r, std::int64_t c) const { return *reinterpret_cast<const float*>(data + r * row + c * column); }
};

// to[k][width] = factor * b[k][column + lane], zero past `real` columns.
inline void pack_panel(float* to, const Matrix& b, std::int64_t depth, std::int64_t width, std::int64_t real, float factor) {
  for (std::int64_t lane = 0; lane < width; lane += kLanes) {
    const std::int64_t left = std::clamp<std::int64_t>(real - lane, 0, kLanes);
    std::int64_t k = 0;
    if (left == kLanes && b.column == 4) {
      for (; k < depth; ++k) store(to + k * width + lane, load(reinterpret_cast<const float*>(b.data + k * b.row) + lane) * factor);
    } else if (left == kLanes && b.row == 4) {
      for (; k + kLanes <= depth; k += kLanes) {
        Vec block[8];
        for (int i = 0; i < kLanes; ++i) block[i] = load(reinterpret_cast<const float*>(b.data + (lane + i) * b.column) + k) * factor;
        transpose8(block);
        for (int i = 0; i < kLanes; ++i) store(to + (k + i) * width + lane, block[i]);
      }
    }
    for (; k < depth; ++k)
      for (std::int64_t i = 0; i < kLanes; ++i) to[k * width + lane + i] = i < left ? b.at(k, lane + i) * factor : 0.0f;
  }
}

class BatchedProduct {
 public:
  explicit BatchedProduct(const Call& call)
      : call_(call), out_(call.operand[0]), a_(call.operand[1]), b_(call.operand[2]), rank_(out_.rank), num_rows_(out_.shape[rank_ - 2]),
        inputs_(a_.shape[rank_ - 1]), layout_{out_.shape[rank_ - 1]}, blocks_(BatchedBlocks::of(num_rows_, inputs_)) {
    rows_ = reinterpret_cast<const float**>(call.workspace);
    outs_ = reinterpret_cast<float**>(call.workspace) + blocks_.rows;
    partial_ = reinterpret_cast<float*>(outs_ + blocks_.rows);
    panel_ = partial_ + blocks_.rows * 24;
    packed_rows_ = panel_ + blocks_.depth * 24;
  }

  void run() {
    std::int64_t batches = 1;
    for (int d = 0; d < rank_ - 2; ++d) batches *= out_.shape[d];
    const std::int64_t panels = layout_.num_panels(), row_blocks = (num_rows_ + blocks_.rows - 1) / blocks_.rows;
    if (layout_.outputs == 0) return;
    const Piece mine = piece(call_, batches * row_blocks * panels);
    for (std::int64_t unit = mine.begin; unit < mine.end; ++unit)
      run_panel(unit / panels / row_blocks, unit / panels % row_blocks, layout_.panel(unit % panels));
  }

 private:
  std::byte* matrix_of(const Operand& operand, std::int64_t batch) const {
    std::byte* data = operand.data;
    for (int d = rank_ - 3; d >= 0; --d) data += batch % out_.shape[d] * operand.stride[d], batch /= out_.shape[d];
    return data;
  }

  void run_panel(std::int64_t batch, std::int64_t block, const Panel& panel) {
    const std::int64_t begin = block * blocks_.rows, count = std::min(blocks_.rows, num_rows_ - begin), zero = 0;
    const int r = rank_ - 2, c = rank_ - 1;
    const Matrix a{matrix_of(a_, batch) + begin * a_.stride[r], a_.stride[r], a_.stride[c]};
    const Matrix b{matrix_of(b_, batch) + panel.column * b_.stride[c], b_.stride[r], b_.stride[c]};
    std::byte* out = matrix_of(out_, batch) + begin * out_.stride[r];
    for (std::int64_t i = 0; i < count; ++i) outs_[i] = reinterpret_cast<float*>(out + i * out_.stride[r]);
    const Epilogue finish{splat(-std::numeric_limits<float>::infinity()), splat(std::numeric_limits<float>::infinity()), nullptr, 0, 0};
    TileWork work{};
    work.rows = rows_, work.out = outs_, work.partial = partial_, work.taps = 1, work.tap_weight = &zero;
    work.weight = panel_, work.panel = panel, work.finish = &finish;
    const float factor = float(call_.real(0));
    const bool direct = a.column == 4 || inputs_ <= 1;
    for (std::int64_t k = 0; k < inputs_ || k == 0; k += blocks_.depth) {
      work.depth = std::min(blocks_.depth, inputs_ - k);
      work.first = k == 0, work.last = k + blocks_.depth >= inputs_;
      pack_panel(panel_, {b.data + k * b.row, b.row, b.column}, work.depth, panel.width, panel.outputs, factor);
      for (std::int64_t i = 0; i < count; ++i) {
        rows_[i] = direct ? reinterpret_cast<const float*>(a.data + i * a.row + k * a.column) : packed_rows_ + i * work.depth;
        if (!direct)
          for (std::int64_t j = 0; j < work.depth; ++j) packed_rows_[i * work.depth + j] = a.at(i, k + j);
      }
      run_rows(work, count);
    }
  }

  const Call& call_;
  const Operand &out_, &a_, &b_;
  int rank_;
  std::int64_t num_rows_, inputs_;
  PanelLayout layout_;
  BatchedBlocks blocks_;
  const float** rows_;
  float** outs_;
  float *partial_, *panel_, *packed_rows_;
};

// Whole numbers: sums wrap, so their order does not matter. Rows of b are added up, a row of out at a time.
template <class Integer>
void matmul_whole(const Call& call) {
  using Bits = std::make_unsigned_t<Integer>;
  const Operand &out = call.operand[0], &a = call.operand[1], &b = call.operand[2];
  const int r = out.rank - 2, c = out.rank - 1;
  const std::int64_t num_rows = out.shape[r], columns = out.shape[c], inputs = a.shape[c];
  std::int64_t batches = 1;
  for (int d = 0; d < r; ++d) batches *= out.shape[d];
  const Piece mine = piece(call, batches * num_rows);
  for (std::int64_t unit = mine.begin; unit < mine.end; ++unit) {
    std::byte* to = out.data + unit % num_rows * out.stride[r];
    const std::byte *left = a.data + unit % num_rows * a.stride[r], *right = b.data;
    for (std::int64_t d = r - 1, rest = unit / num_rows; d >= 0; rest /= out.shape[d--]) {
      const std::int64_t at = rest % out.shape[d];
      to += at * out.stride[d], left += at * a.stride[d], right += at * b.stride[d];
    }
    const auto sum = reinterpret_cast<Integer*>(to);
    for (std::int64_t j = 0; j < columns; ++j) sum[j] = 0;
    for (std::int64_t k = 0; k < inputs; ++k) {
      const auto x = Bits(*reinterpret_cast<const Integer*>(left + k * a.stride[c]));
      const std::byte* row = right + k * b.stride[r];
      if (b.stride[c] == sizeof(Integer))
        for (std::int64_t j = 0; j < columns; ++j) sum[j] = Integer(Bits(sum[j]) + x * Bits(reinterpret_cast<const Integer*>(row)[j]));
      else
        for (std::int64_t j = 0; j < columns; ++j)
          sum[j] = Integer(Bits(sum[j]) + x * Bits(*reinterpret_cast<const Integer*>(row + j * b.stride[c])));
    }
  }
}

void matmul_batched(const Call& call) {
  if (call.operand[0].format == Format::int32) return matmul_whole<std::int32_t>(call);
  if (call.operand[0].format == Format::int64) return matmul_whole<std::int64_t>(call);
  BatchedProduct(call).run();
}

}  // namespace netwright::NETWRIGHT_ISA
