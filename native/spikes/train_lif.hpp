// Leaky integrate-and-fire over many steps, forward and backward, for training (learn/lif.py says what it computes).
#pragma once

#include <cstdint>

namespace netwright::train {

// `_next`: made at the start of the step after, from the membrane before reset that is carried to it; subtracting comes
// after the decay.
enum class Reset : int { none = 0, subtract = 1, subtract_next = 2, value = 3, value_next = 4 };

// Sizes of a layer over time. Arrays are float32: sequences [steps, batch, neurons], states [batch, neurons]; in C order
// where they are plain pointers.
struct LifShape {
  std::int64_t steps, batch, neurons;
};

// A sequence read in any layout whose neurons are neighbours; a stride of 0 repeats (gradients of sums come so).
struct Sequence {
  const float* data;
  std::int64_t step_stride, batch_stride;  // in numbers

  const float* at(std::int64_t step, std::int64_t row, std::int64_t neuron) const {
    return data + step * step_stride + row * batch_stride + neuron;
  }
};

// One number a neuron each.
struct LifNeurons {
  const float *decay, *gain, *drive, *threshold, *reset_value;
  Reset reset;
  bool fires_at_threshold;  // u >= threshold, else u > threshold
};

struct LifForward {
  Sequence x;            // input [T,B,n]
  const float* v_first;  // carried membrane [B,n]; null: zero
  float* spikes;         // [T,B,n]
  float* u;              // membrane before reset [T,B,n]; null: not kept
  float* v_last;         // what the next call carries on with [B,n]
};

struct LifBackward {
  const float* u;
  const float* v_first;  // as in forward
  Sequence d_spikes;
  const float* d_v_last;  // [B,n]; null: zero
  float* d_x;             // [T,B,n]
  float* d_v_first;       // [B,n]
  float* d_decay;         // [B,n], summed over the steps; null: not asked for
  float* d_threshold;     // as d_decay
  int surrogate;
  float sharpness;
  bool detach_reset;  // no gradient through the reset
  bool through_time;  // else what is carried from step to step is a constant
};

struct Lanes {
  std::int64_t begin, end;  // of batch * neurons
};

// Lanes are independent: any cut into ranges gives the same bits.
void lif_forward_scalar(const LifShape&, const LifNeurons&, const LifForward&, Lanes);
void lif_backward_scalar(const LifShape&, const LifNeurons&, const LifBackward&, Lanes);
void lif_forward_avx2(const LifShape&, const LifNeurons&, const LifForward&, Lanes);
void lif_backward_avx2(const LifShape&, const LifNeurons&, const LifBackward&, Lanes);

// On up to `threads` threads, by AVX2 when asked for and there.
void lif_forward(const LifShape&, const LifNeurons&, const LifForward&, int threads, bool avx2);
void lif_backward(const LifShape&, const LifNeurons&, const LifBackward&, int threads, bool avx2);

inline constexpr int kNumSurrogates = 7;

}  // namespace netwright::train
