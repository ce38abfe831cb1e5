// The register tile under every packed product: up to 6x16 (or 4x24, 8x8) outputs, k in order, one FMA chain an output.
// So an output's bits do not depend on how rows or panels were split. Rows are pointers, one for each tap: an implicit
// GEMM (Dukhan 2019, "The indirect convolution algorithm", arXiv:1907.02129).
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/float_function.hpp"
#include "kernels/float_pack.hpp"
#include "vm/opcode.hpp"

namespace netwright::NETWRIGHT_ISA {

// What happens to a finished sum: relu, clip and hard swish in registers, a pass over the tile for the rest.
struct Epilogue {
  Vec low, high;
  FunctionLoop loop;  // nullptr: no other function
  float alpha, beta;
  bool swish = false;  // alpha * hard_swish + beta
};

inline Epilogue epilogue(const Call& call, int first_parameter) {
  const auto function = Function(call.parameter[first_parameter]);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Epilogue result{splat(-infinity), splat(infinity), nullptr, float(call.real(first_parameter + 1)),
                  float(call.real(first_parameter + 2))};
  if (function == Function::relu) result.low = Vec{};
  else if (function == Function::clip) result.low = splat(result.alpha), result.high = splat(result.beta);
  else if (function == Function::hard_swish) result.swish = true, result.alpha = 1.0f, result.beta = 0.0f;
  else if (function == Function::scaled_hard_swish) result.swish = true;
  else if (function != Function::identity) result.loop = function_loop(function);
  return result;
}

struct TileWork {
  const float* const* rows;        // [row][tap]
  std::int64_t row_offset;         // floats to add to each of them: the first input of the group, or of the block of k
  std::int64_t taps;
  std::int64_t depth;              // k of each tap
  const float* weight;             // of the first tap
  const std::int64_t* tap_weight;  // floats from there to each tap's
  float* partial;                  // [row][width], when k is cut in blocks
  bool first, last;                // block of k
  float* const* out;               // [row], at column 0
  const float* const* residual;    // [row] or nullptr
  const float* bias;               // or nullptr
  Panel panel;                     // its column counts from `out`, `residual` and `bias`
  const Epilogue* finish;
};

// Every loop over acc is unrolled, so that it stays in registers.
#define NETWRIGHT_EACH_ROW _Pragma("GCC unroll 8") for (int m = 0; m < MR; ++m)
#define NETWRIGHT_EACH_VECTOR _Pragma("GCC unroll 3") for (int v = 0; v < NV; ++v)

// The function over a whole tile, when a clamp is not enough.
template <int MR, int NV>
NETWRIGHT_INLINE void apply_function(const Epilogue& finish, Vec (&acc)[MR][NV]) {
  float values[MR * NV * kLanes];
  NETWRIGHT_EACH_ROW NETWRIGHT_EACH_VECTOR store(values + (m * NV + v) * kLanes, acc[m][v]);
  finish.loop(values, values, MR * NV * kLanes, finish.alpha, finish.beta);
  NETWRIGHT_EACH_ROW NETWRIGHT_EACH_VECTOR acc[m][v] = load(values + (m * NV + v) * kLanes);
}

// acc -> out: bias, residual, function. WHOLE: all outputs of the panel are real; otherwise only real ones are touched.
template <bool WHOLE, int MR, int NV>
NETWRIGHT_INLINE void finish_tile_as(const TileWork& work, std::int64_t row, Vec (&acc)[MR][NV]) {
  const std::int64_t column = work.panel.column;
  const auto left = [&](int v) { return WHOLE ? kLanes : int(work.panel.outputs) - v * kLanes; };
  const auto read = [&](const float* from, int v) { return left(v) >= kLanes ? load(from + v * kLanes) : load_part(from + v * kLanes, left(v)); };
  if (work.bias) {
    NETWRIGHT_EACH_VECTOR {
      const Vec bias = read(work.bias + column, v);
      NETWRIGHT_EACH_ROW acc[m][v] += bias;
    }
  }
  if (work.residual) {
    NETWRIGHT_EACH_ROW NETWRIGHT_EACH_VECTOR acc[m][v] += read(work.residual[row + m] + column, v);
  }
  if (work.finish->loop) apply_function<MR, NV>(*work.finish, acc);
  if (work.finish->swish) {
    const Vec alpha = splat(work.finish->alpha), beta = splat(work.finish->beta);
    NETWRIGHT_EACH_ROW NETWRIGHT_EACH_VECTOR acc[m][v] = evaluate<Function::scaled_hard_swish>(acc[m][v], alpha, beta);
  }
  const Vec low = work.finish->low, high = work.finish->high;
  NETWRIGHT_EACH_ROW {
    float* to = work.out[row + m] + column;
    NETWRIGHT_EACH_VECTOR {
      const Vec value = clamp(acc[m][v], low, high);
      if (left(v) >= kLanes) store(to + v * kLanes, value);
      else store_part(to + v * kLanes, value, left(v));
    }
  }
}

template <int MR, int NV>
NETWRIGHT_INLINE void finish_tile(const TileWork& work, std::int64_t row, Vec (&acc)[MR][NV]) {
  if (work.panel.outputs == NV * kLanes) finish_tile_as<true, MR, NV>(work, row, acc);
  else finish_tile_as<false, MR, NV>(work, row, acc);
}

template <int MR, int NV>
void tile(const TileWork& work, std::int64_t row) {
  Vec acc[MR][NV];
  if (work.first) {
    NETWRIGHT_EACH_ROW NETWRIGHT_EACH_VECTOR acc[m][v] = Vec{};
  } else {
    const float* partial = work.partial + row * NV * kLanes;
    NETWRIGHT_EACH_ROW NETWRIGHT_EACH_VECTOR acc[m][v] = load(partial + (m * NV + v) * kLanes);
  }
  const float* const* pointers = work.rows + row * work.taps;
  for (std::int64_t tap = 0; tap < work.taps; ++tap) {
    const float* a[MR];
    NETWRIGHT_EACH_ROW a[m] = pointers[m * work.taps + tap] + work.row_offset;
    const float* b = work.weight + work.tap_weight[tap];
    for (std::int64_t k = 0; k < work.depth; ++k, b += NV * kLanes) {
      Vec column[NV];
      NETWRIGHT_EACH_VECTOR column[v] = load(b + v * kLanes);
      NETWRIGHT_EACH_ROW {
        const Vec x = splat(a[m][k]);
        NETWRIGHT_EACH_VECTOR acc[m][v] = fma(x, column[v], acc[m][v]);
      }
    }
  }
  if (work.last) return finish_tile<MR, NV>(work, row, acc);
  float* partial = work.partial + row * NV * kLanes;
  NETWRIGHT_EACH_ROW NETWRIGHT_EACH_VECTOR store(partial + (m * NV + v) * kLanes, acc[m][v]);
}

using Tile = void (*)(const TileWork&, std::int64_t);
inline constexpr Tile kTiles8[] = {tile<1, 1>, tile<2, 1>, tile<3, 1>, tile<4, 1>, tile<5, 1>, tile<6, 1>, tile<7, 1>, tile<8, 1>};
inline constexpr Tile kTiles16[] = {tile<1, 2>, tile<2, 2>, tile<3, 2>, tile<4, 2>, tile<5, 2>, tile<6, 2>};
inline constexpr Tile kTiles24[] = {tile<1, 3>, tile<2, 3>, tile<3, 3>, tile<4, 3>};

// Rows of a tile: as many as leave all sums in registers.
inline std::int64_t tile_rows(std::int64_t width) { return width == 8 ? 8 : width == 16 ? 6 : 4; }

// All rows of `panels` panels, the first of them work.panel, the others 16 wide like it and `panel_floats` apart. Rows are
// split evenly, so that no tile is left too small to hide the FMA's latency; panels run inside, so that out is written in order.
inline void run_rows(TileWork work, std::int64_t num_rows, std::int64_t panels = 1, std::int64_t panel_floats = 0,
                     std::int64_t last_outputs = 0) {
  const Tile* tiles = work.panel.width == 8 ? kTiles8 : work.panel.width == 16 ? kTiles16 : kTiles24;
  const std::int64_t most = tile_rows(work.panel.width), groups = (num_rows + most - 1) / most;
  const Panel first = work.panel;
  const float* weight = work.weight;
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::int64_t row = num_rows * group / groups;
    const Tile run = tiles[num_rows * (group + 1) / groups - row - 1];
    for (std::int64_t p = 0; p < panels; ++p) {
      work.panel.column = first.column + p * kPanelWidth;
      work.panel.outputs = panels > 1 && p + 1 == panels ? last_outputs : first.outputs;
      work.weight = weight + p * panel_floats;
      run(work, row);
    }
  }
}

// How many panels from `index` on to run together: 16 wide ones whose weights stay in the first-level cache.
inline std::int64_t panels_together(const PanelLayout& layout, std::int64_t index, std::int64_t most, std::int64_t panel_floats) {
  if (layout.panel(index).width != kPanelWidth) return 1;
  const std::int64_t fit = std::clamp<std::int64_t>(4096 / panel_floats, 1, most);
  return layout.panel(index + fit - 1).width == kPanelWidth ? fit : std::max<std::int64_t>(fit - 1, 1);
}

// Few rows: bandwidth rules, so several 16-wide panels are streamed at once to keep the FMA units fed.
template <int MR, int PANELS>
void thin_tile(const TileWork& work, std::int64_t panel_floats) {
  Vec acc[PANELS][MR][2] = {};
  for (std::int64_t tap = 0; tap < work.taps; ++tap) {
    const float* a[MR];
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) a[m] = work.rows[m * work.taps + tap] + work.row_offset;
    const float* b[PANELS];
#pragma GCC unroll 8
    for (int p = 0; p < PANELS; ++p) b[p] = work.weight + p * panel_floats + work.tap_weight[tap];
    for (std::int64_t k = 0; k < work.depth; ++k) {
#pragma GCC unroll 8
      for (int p = 0; p < PANELS; ++p) {
        const Vec low = load(b[p] + k * 16), high = load(b[p] + k * 16 + 8);
#pragma GCC unroll 8
        for (int m = 0; m < MR; ++m) {
          const Vec x = splat(a[m][k]);
          acc[p][m][0] = fma(x, low, acc[p][m][0]);
          acc[p][m][1] = fma(x, high, acc[p][m][1]);
        }
      }
    }
  }
  for (int p = 0; p < PANELS; ++p) {
    TileWork one = work;
    one.panel.column += p * kPanelWidth;
    finish_tile<MR, 2>(one, 0, acc[p]);
  }
}

// Runs as many of `most` consecutive 16-wide panels as one thin tile takes; returns how many (0: not worth it).
inline std::int64_t run_thin(const TileWork& work, std::int64_t num_rows, std::int64_t most, std::int64_t panel_floats) {
  if (num_rows == 1 && most >= 4) return thin_tile<1, 4>(work, panel_floats), 4;
  if (num_rows == 2 && most >= 2) return thin_tile<2, 2>(work, panel_floats), 2;
  if (num_rows == 3 && most >= 2) return thin_tile<3, 2>(work, panel_floats), 2;
  return 0;
}

}  // namespace netwright::NETWRIGHT_ISA
