// gemm_packed: out = f(x w^T + bias + residual), w in panels (float_pack.hpp).
#pragma once

#include <algorithm>

#include "kernels/float_kernels.hpp"
#include "kernels/float_tile.hpp"

namespace netwright {

// Sizes depend on the shapes alone, never on `parts`.
struct GemmBlocks {
  std::int64_t rows;   // of x that are kept close while panels pass by
  std::int64_t depth;  // of k: a panel's block stays in the first-level cache

  static GemmBlocks of(std::int64_t num_rows, std::int64_t inputs) {
    const std::int64_t depth_blocks = (inputs + 511) / 512;
    const std::int64_t depth = depth_blocks > 1 ? (inputs + depth_blocks - 1) / depth_blocks : std::max<std::int64_t>(inputs, 1);
    const std::int64_t fit = std::clamp<std::int64_t>(256 * 1024 / (4 * depth), 48, 192);
    const std::int64_t blocks = std::max<std::int64_t>((num_rows + fit - 1) / fit, 1);
    return {std::max<std::int64_t>((num_rows + blocks - 1) / blocks, 1), depth};
  }
  // Row pointers of x, out and residual; partial sums of one panel.
  std::int64_t workspace_bytes() const { return rows * 3 * 8 + rows * 24 * 4 + 64; }
};

}  // namespace netwright

namespace netwright::NETWRIGHT_ISA {

void gemm_packed(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const std::int64_t num_rows = out.shape[0], inputs = call.parameter[0];
  const PanelLayout layout{call.parameter[1]};
  const std::int64_t panels = layout.num_panels();
  const GemmBlocks blocks = GemmBlocks::of(num_rows, inputs);
  const Epilogue finish = epilogue(call, 2);
  const bool has_residual = call.num_operands > 4 && call.operand[4].data;
  const auto rows = reinterpret_cast<const float**>(call.workspace);
  const auto outs = reinterpret_cast<float**>(call.workspace) + blocks.rows;
  const auto residuals = rows + 2 * blocks.rows;
  const std::int64_t no_offset = 0;
  TileWork work{};
  work.rows = rows, work.out = outs, work.residual = has_residual ? residuals : nullptr;
  work.partial = reinterpret_cast<float*>(residuals + blocks.rows);
  work.taps = 1, work.tap_weight = &no_offset, work.finish = &finish;
  work.bias = call.num_operands > 3 ? reinterpret_cast<const float*>(call.operand[3].data) : nullptr;
  const auto weight = reinterpret_cast<const float*>(call.operand[2].data);

  const Piece mine = piece(call, (num_rows + blocks.rows - 1) / blocks.rows * panels);
  std::int64_t loaded = -1, count = 0;
  for (std::int64_t unit = mine.begin; unit < mine.end;) {
    const std::int64_t block = unit / panels, index = unit % panels;
    if (block != loaded) {
      loaded = block;
      const std::int64_t begin = block * blocks.rows;
      count = std::min(blocks.rows, num_rows - begin);
      for (std::int64_t r = 0; r < count; ++r) {
        rows[r] = reinterpret_cast<const float*>(x.data + (begin + r) * x.stride[0]);
        outs[r] = reinterpret_cast<float*>(out.data + (begin + r) * out.stride[0]);
        if (has_residual)
          residuals[r] = reinterpret_cast<const float*>(call.operand[4].data + (begin + r) * call.operand[4].stride[0]);
      }
    }
    work.panel = layout.panel(index);
    const float* panel = weight + work.panel.column * inputs;
    if (count <= 3) {
      // The last panel may be partial or of another width, so it never joins.
      const std::int64_t most = std::min(mine.end - unit, panels - 1 - index);
      work.weight = panel, work.depth = inputs, work.row_offset = 0;
      if (const std::int64_t done = run_thin(work, count, most, kPanelWidth * inputs)) {
        unit += done;
        continue;
      }
    }
    if (blocks.depth >= inputs) {
      const std::int64_t together = panels_together(layout, index, std::min(mine.end - unit, panels - index), kPanelWidth * inputs);
      work.depth = inputs, work.first = work.last = true, work.row_offset = 0, work.weight = panel;
      run_rows(work, count, together, kPanelWidth * inputs, layout.panel(index + together - 1).outputs);
      unit += together;
      continue;
    }
    for (std::int64_t k = 0; k < inputs; k += blocks.depth) {
      work.depth = std::min(blocks.depth, inputs - k);
      work.first = k == 0, work.last = k + blocks.depth >= inputs;
      work.row_offset = k, work.weight = panel + k * work.panel.width;
      run_rows(work, count);
    }
    ++unit;
  }
}

}  // namespace netwright::NETWRIGHT_ISA
