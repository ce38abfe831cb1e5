// lstm and gru, one direction, ONNX gate orders (i o f c; z r h) and weights as shipped, row-major. The inputs' share of
// the gates is computed for a few steps at a time, so that w is read once for all of them; the states' share step by step.
#pragma once

#include <algorithm>

#include "kernels/float_function.hpp"
#include "kernels/float_kernels.hpp"

namespace netwright {

inline constexpr std::int64_t kSteps = 8;  // steps whose input products are made together

inline std::int64_t recurrent_workspace_bytes(std::int64_t hidden, std::int64_t gates) {
  return 4 * hidden * (gates * (kSteps + 1) + 2) + 64;
}

}  // namespace netwright

namespace netwright::NETWRIGHT_ISA {

// out[c][n] = dot(w[n], x[c]) + bias[n] for COLUMNS vectors x; each dot folds eight lanes in a fixed order.
template <int COLUMNS>
void dot_rows(float* out, std::int64_t out_step, const std::byte* w, std::int64_t w_step, const float* const* x, const float* bias,
              std::int64_t rows, std::int64_t depth) {
  constexpr int kRows = COLUMNS > 4 ? 1 : COLUMNS > 2 ? 2 : 4;
  const auto some = [&]<int ROWS>(std::int64_t n, std::integral_constant<int, ROWS>) {
    Vec acc[ROWS][COLUMNS] = {};
    const float* row[ROWS];
    for (int r = 0; r < ROWS; ++r) row[r] = reinterpret_cast<const float*>(w + (n + r) * w_step);
    const auto add = [&](std::int64_t k, auto read) {
#pragma GCC unroll 4
      for (int r = 0; r < ROWS; ++r) {
        const Vec weight = read(row[r] + k);
#pragma GCC unroll 8
        for (int c = 0; c < COLUMNS; ++c) acc[r][c] = fma(weight, read(x[c] + k), acc[r][c]);
      }
    };
    std::int64_t k = 0;
    for (; k + kLanes <= depth; k += kLanes) add(k, [](const float* from) { return load(from); });
    if (const int left = int(depth - k)) add(k, [left](const float* from) { return load_part(from, left); });
    for (int r = 0; r < ROWS; ++r)
      for (int c = 0; c < COLUMNS; ++c) out[c * out_step + n + r] = sum_lanes(acc[r][c]) + (bias ? bias[n + r] : 0.0f);
  };
  std::int64_t n = 0;
  for (; n + kRows <= rows; n += kRows) some(n, std::integral_constant<int, kRows>{});
  for (; n < rows; ++n) some(n, std::integral_constant<int, 1>{});
}

inline void dot_columns(float* out, std::int64_t out_step, const Operand& w, const float* const* x, std::int64_t columns, const float* bias,
                        std::int64_t first_row, std::int64_t rows) {
  const std::byte* data = w.data + first_row * w.stride[0];
  std::int64_t c = 0;
  for (; c + 8 <= columns; c += 8) dot_rows<8>(out + c * out_step, out_step, data, w.stride[0], x + c, bias, rows, w.shape[1]);
  for (; c + 4 <= columns; c += 4) dot_rows<4>(out + c * out_step, out_step, data, w.stride[0], x + c, bias, rows, w.shape[1]);
  for (; c < columns; ++c) dot_rows<1>(out + c * out_step, out_step, data, w.stride[0], x + c, bias, rows, w.shape[1]);
}

// each(i, vector reader, vector writer) over hidden units.
template <class Each>
NETWRIGHT_INLINE void each_unit(std::int64_t hidden, Each&& each) {
  std::int64_t i = 0;
  for (; i + kLanes <= hidden; i += kLanes)
    each(i, [](const float* from) { return load(from); }, [](float* to, Vec value) { store(to, value); });
  if (const int left = int(hidden - i))
    each(i, [left](const float* from) { return load_part(from, left); }, [left](float* to, Vec value) { store_part(to, value, left); });
}

inline const float* row_of(const Operand& operand, std::int64_t row) {
  return reinterpret_cast<const float*>(operand.data + row * operand.stride[0]);
}

inline const float* vector_of(const Call& call, int index) {
  return index < call.num_operands ? reinterpret_cast<const float*>(call.operand[index].data) : nullptr;
}

inline void start_state(float* state, const Call& call, int index, std::int64_t sequence, std::int64_t hidden) {
  const bool given = index < call.num_operands && call.operand[index].data;
  const float* from = given ? row_of(call.operand[index], sequence) : nullptr;
  for (std::int64_t i = 0; i < hidden; ++i) state[i] = from ? from[i] : 0.0f;
}

// step(t, input gates [gates * hidden]) in order, with the inputs' products of up to kSteps steps made at once.
template <class Step>
void each_step(const Operand& x, const Operand& w, const float* bias, std::int64_t sequence, bool reverse, float* gates, Step&& step) {
  const std::int64_t steps = x.shape[0], rows = w.shape[0];
  for (std::int64_t at = 0; at < steps; at += kSteps) {
    const std::int64_t count = std::min(kSteps, steps - at);
    const float* inputs[kSteps];
    for (std::int64_t s = 0; s < count; ++s) {
      const std::int64_t t = reverse ? steps - 1 - at - s : at + s;
      inputs[s] = reinterpret_cast<const float*>(x.data + t * x.stride[0] + sequence * x.stride[1]);
    }
    dot_columns(gates, rows, w, inputs, count, bias, 0, rows);
    for (std::int64_t s = 0; s < count; ++s) step(reverse ? steps - 1 - at - s : at + s, gates + s * rows);
  }
}

inline void write_step(const Operand& y, std::int64_t t, std::int64_t sequence, const float* state, std::int64_t hidden) {
  if (!y.data) return;
  const auto to = reinterpret_cast<float*>(y.data + t * y.stride[0] + sequence * y.stride[1]);
  std::copy(state, state + hidden, to);
}

void lstm(const Call& call) {
  const Operand &y = call.operand[0], &x = call.operand[3], &w = call.operand[4], &r = call.operand[5];
  const std::int64_t hidden = r.shape[1];
  const float* bias = vector_of(call, 6);
  const auto gates = reinterpret_cast<float*>(call.workspace);
  float* recurrent = gates + 4 * hidden * kSteps;
  const Piece mine = piece(call, x.shape[1]);
  for (std::int64_t sequence = mine.begin; sequence < mine.end; ++sequence) {
    const auto state = const_cast<float*>(row_of(call.operand[1], sequence)), cell = const_cast<float*>(row_of(call.operand[2], sequence));
    start_state(state, call, 7, sequence, hidden);
    start_state(cell, call, 8, sequence, hidden);
    each_step(x, w, bias, sequence, call.parameter[0] != 0, gates, [&](std::int64_t t, const float* input) {
      const float* from = state;
      dot_columns(recurrent, 4 * hidden, r, &from, 1, bias ? bias + 4 * hidden : nullptr, 0, 4 * hidden);
      each_unit(hidden, [&](std::int64_t i, auto read, auto write) {
        const auto gate = [&](int g) { return read(input + g * hidden + i) + read(recurrent + g * hidden + i); };
        const Vec next = sigmoid(gate(2)) * read(cell + i) + sigmoid(gate(0)) * tanh(gate(3));
        write(cell + i, next);
        write(state + i, sigmoid(gate(1)) * tanh(next));
      });
      write_step(y, t, sequence, state, hidden);
    });
  }
}

void gru(const Call& call) {
  const Operand &y = call.operand[0], &x = call.operand[2], &w = call.operand[3], &r = call.operand[4];
  const std::int64_t hidden = r.shape[1];
  const float* bias = vector_of(call, 5);
  const float* recurrent_bias = bias ? bias + 3 * hidden : nullptr;
  const bool linear_before_reset = call.parameter[1] != 0;
  const auto gates = reinterpret_cast<float*>(call.workspace);
  float* recurrent = gates + 3 * hidden * kSteps;
  float *update = recurrent + 3 * hidden, *reset = update + hidden;
  const Piece mine = piece(call, x.shape[1]);
  for (std::int64_t sequence = mine.begin; sequence < mine.end; ++sequence) {
    const auto state = const_cast<float*>(row_of(call.operand[1], sequence));
    start_state(state, call, 6, sequence, hidden);
    each_step(x, w, bias, sequence, call.parameter[0] != 0, gates, [&](std::int64_t t, const float* input) {
      const float* from = state;
      dot_columns(recurrent, 3 * hidden, r, &from, 1, recurrent_bias, 0, (linear_before_reset ? 3 : 2) * hidden);
      each_unit(hidden, [&](std::int64_t i, auto read, auto write) {
        const auto gate = [&](int g) { return sigmoid(read(input + g * hidden + i) + read(recurrent + g * hidden + i)); };
        write(update + i, gate(0));
        write(reset + i, linear_before_reset ? gate(1) * read(recurrent + 2 * hidden + i) : gate(1) * read(state + i));
      });
      const float* candidate = reset;
      if (!linear_before_reset) {
        dot_columns(recurrent + 2 * hidden, hidden, r, &candidate, 1, recurrent_bias ? recurrent_bias + 2 * hidden : nullptr, 2 * hidden, hidden);
        candidate = recurrent + 2 * hidden;
      }
      each_unit(hidden, [&](std::int64_t i, auto read, auto write) {
        const Vec z = read(update + i), fresh = tanh(read(input + 2 * hidden + i) + read(candidate + i));
        write(state + i, (1.0f - z) * fresh + z * read(state + i));
      });
      write_step(y, t, sequence, state, hidden);
    });
  }
}

}  // namespace netwright::NETWRIGHT_ISA
