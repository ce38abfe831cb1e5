// The register tile under every packed product: up to 6x16 (or 4x24, 8x8) outputs, k in order, one FMA chain an output.
// So an output's bits do not depend on how rows or panels were split. Rows are pointers, one for each tap: an implicit
// GEMM (Dukhan 2019, "The indirect convolution algorithm", arXiv:1907.02129).
#pragma once

#include <limits>

#include "kernels/float_function.hpp"
#include "kernels/float_pack.hpp"
#include "vm/opcode.hpp"

namespace netwright::NETWRIGHT_ISA {

// What happens to a finished sum: clamp in registers for relu and clip, a pass over the tile for the rest.
struct Epilogue {
  Vec low, high;
  FunctionLoop loop;  // nullptr: the clamp is all
  float alpha, beta;
};

inline Epilogue epilogue(const Call& call, int first_parameter) {
  const auto function = Function(call.parameter[first_parameter]);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Epilogue result{splat(-infinity), splat(infinity), nullptr, float(call.real(first_parameter + 1)),
                  float(call.real(first_parameter + 2))};
  if (function == Function::relu) result.low = Vec{};
  else if (function == Function::clip) result.low = splat(result.alpha), result.high = splat(result.beta);
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

// acc -> out: bias, residual, function, and only the real outputs are written.
template <int MR, int NV>
NETWRIGHT_INLINE void finish_tile(const TileWork& work, std::int64_t row, Vec (&acc)[MR][NV]) {
  const std::int64_t column = work.panel.column;
  const int real = int(work.panel.outputs);
  if (work.bias) {
    for (int v = 0; v < NV; ++v) {
      const int left = real - v * kLanes;
      const float* from = work.bias + column + v * kLanes;
      const Vec bias = left >= kLanes ? load(from) : load_part(from, left);
      for (int m = 0; m < MR; ++m) acc[m][v] += bias;
    }
  }
  if (work.residual)
    for (int m = 0; m < MR; ++m)
      for (int v = 0; v < NV; ++v) {
        const int left = real - v * kLanes;
        const float* from = work.residual[row + m] + column + v * kLanes;
        acc[m][v] += left >= kLanes ? load(from) : load_part(from, left);
      }
  if (work.finish->loop) {
    float tile[MR * NV * kLanes];
    for (int m = 0; m < MR; ++m)
      for (int v = 0; v < NV; ++v) store(tile + (m * NV + v) * kLanes, acc[m][v]);
    work.finish->loop(tile, tile, MR * NV * kLanes, work.finish->alpha, work.finish->beta);
    for (int m = 0; m < MR; ++m)
      for (int v = 0; v < NV; ++v) acc[m][v] = load(tile + (m * NV + v) * kLanes);
  }
  const Vec low = work.finish->low, high = work.finish->high;
  for (int m = 0; m < MR; ++m)
    for (int v = 0; v < NV; ++v) {
      const int left = real - v * kLanes;
      float* to = work.out[row + m] + column + v * kLanes;
      const Vec value = clamp(acc[m][v], low, high);
      if (left >= kLanes) store(to, value);
      else store_part(to, value, left);
    }
}

template <int MR, int NV>
void tile(const TileWork& work, std::int64_t row) {
  Vec acc[MR][NV];
  float* partial = work.partial + row * NV * kLanes;
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m)
#pragma GCC unroll 3
    for (int v = 0; v < NV; ++v) acc[m][v] = work.first ? Vec{} : load(partial + (m * NV + v) * kLanes);
  const float* const* pointers = work.rows + row * work.taps;
  for (std::int64_t tap = 0; tap < work.taps; ++tap) {
    const float* a[MR];
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) a[m] = pointers[m * work.taps + tap] + work.row_offset;
    const float* b = work.weight + work.tap_weight[tap];
    for (std::int64_t k = 0; k < work.depth; ++k, b += NV * kLanes) {
      Vec column[NV];
#pragma GCC unroll 3
      for (int v = 0; v < NV; ++v) column[v] = load(b + v * kLanes);
#pragma GCC unroll 8
      for (int m = 0; m < MR; ++m) {
        const Vec x = splat(a[m][k]);
#pragma GCC unroll 3
        for (int v = 0; v < NV; ++v) acc[m][v] = fma(x, column[v], acc[m][v]);
      }
    }
  }
  if (work.last) return finish_tile<MR, NV>(work, row, acc);
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m)
#pragma GCC unroll 3
    for (int v = 0; v < NV; ++v) store(partial + (m * NV + v) * kLanes, acc[m][v]);
}

using Tile = void (*)(const TileWork&, std::int64_t);
inline constexpr Tile kTiles8[] = {tile<1, 1>, tile<2, 1>, tile<3, 1>, tile<4, 1>, tile<5, 1>, tile<6, 1>, tile<7, 1>, tile<8, 1>};
inline constexpr Tile kTiles16[] = {tile<1, 2>, tile<2, 2>, tile<3, 2>, tile<4, 2>, tile<5, 2>, tile<6, 2>};
inline constexpr Tile kTiles24[] = {tile<1, 3>, tile<2, 3>, tile<3, 3>, tile<4, 3>};

// All rows of one panel. Rows are split evenly, so that no tile is left too small to hide the FMA's latency.
inline void run_rows(const TileWork& work, std::int64_t num_rows) {
  const Tile* tiles = work.panel.width == 8 ? kTiles8 : work.panel.width == 16 ? kTiles16 : kTiles24;
  const std::int64_t most = work.panel.width == 8 ? 8 : work.panel.width == 16 ? 6 : 4;
  const std::int64_t groups = (num_rows + most - 1) / most;
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::int64_t row = num_rows * group / groups;
    tiles[num_rows * (group + 1) / groups - row - 1](work, row);
  }
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
