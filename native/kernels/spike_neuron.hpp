// Membranes of many neurons, step after step: branch-free over lanes, spikes as bits.
// The meaning is graph/ops/neuron_step.py, in fp32.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/float_vector.hpp"
#include "kernels/spike_kernels.hpp"
#include "kernels/spike_shape.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

using namespace netwright::spike;

// exp(x) as float_function.hpp has it, without fused steps. For x in [-87, 87], cut off beyond.
NETWRIGHT_INLINE Vec plain_exp(Vec x) {
  x = min(max(x, splat(-87.0f)), splat(87.0f));
  const Vec n = round_even(x * splat(1.44269504088896341f));
  const Vec r = (x - n * splat(0.693359375f)) - n * splat(-2.12194440e-4f);
  Vec y = splat(1.9875691500e-4f);
  y = y * r + splat(1.3981999507e-3f);
  y = y * r + splat(8.3334519073e-3f);
  y = y * r + splat(4.1665795894e-2f);
  y = y * r + splat(1.6666665459e-1f);
  y = y * r + splat(5.0000001201e-1f);
  y = (y * (r * r) + r) + splat(1.0f);
  return y * as_float((to_int(n) + 127) << 23);
}

NETWRIGHT_INLINE std::uint8_t lane_bits(IntVec mask) {
#if defined(__AVX2__)
  return static_cast<std::uint8_t>(_mm256_movemask_ps(__m256(as_float(mask))));
#else
  unsigned bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= (static_cast<std::uint32_t>(mask[i]) >> 31) << i;
  return static_cast<std::uint8_t>(bits);
#endif
}

struct Coefficients {
  // v >= threshold is v > the number below it: `above` serves both comparisons.
  float above, threshold, reset_value, decay, drive, scale, rate;
  float gain[kReceptors], synapse_decay[kReceptors], reversal[kReceptors];
  // What a spike leaves: the membrane under `reset_mask`, less `reset_less`.
  std::int32_t reset_mask, refractory_steps;
  float reset_less;
  bool delayed, subtracts, after;
};

inline Coefficients coefficients(const Call& call) {
  Coefficients c{};
  const auto real = [&](int index) { return static_cast<float>(call.real(index)); };
  c.threshold = real(kThreshold), c.decay = real(kDecay), c.drive = real(kDrive);
  c.scale = real(kScale), c.rate = real(kRate);
  c.above = call.parameter[kIncluded] ? std::nextafter(c.threshold, -std::numeric_limits<float>::infinity()) : c.threshold;
  for (int k = 0; k < kReceptors; ++k)
    c.gain[k] = real(kGain + k), c.synapse_decay[k] = real(kSynapseDecay + k), c.reversal[k] = real(kReversal + k);
  c.refractory_steps = static_cast<std::int32_t>(call.parameter[kRefractorySteps]);
  const std::int64_t reset = call.parameter[kReset];
  c.reset_mask = reset == kResetValueTo ? 0 : -1;
  c.reset_less = reset == kResetValueTo ? -real(kResetValue) : reset == kResetSubtract ? c.threshold : 0.0f;
  c.delayed = call.parameter[kResetDelay] != 0, c.after = call.parameter[kInputAfter] != 0;
  c.subtracts = reset == kResetSubtract;
  return c;
}

// Where a step's values lie: copies, so that no store can change them.
struct Places {
  float *membrane, *left, *current[kReceptors], *dense;
  const float* input[kReceptors];
  std::byte *ring, *record;
  const float* each;  // coefficients of neurons that differ: row r starts at each + r * each_stride
  std::int64_t each_stride;
  bool traced;
};

template <bool kWhole>
NETWRIGHT_INLINE Vec fetch(const float* from, std::int64_t count) {
  if constexpr (kWhole) return load(from);
  else return load_part(from, int(count));
}

template <bool kWhole>
NETWRIGHT_INLINE void put(float* to, Vec value, std::int64_t count) {
  if constexpr (kWhole) store(to, value);
  else store_part(to, value, int(count));
}

// Coefficients of eight neurons: one number of all, or the numbers of each (kDiffer).
template <bool kDiffer, bool kWhole>
struct Lanes {
  const Coefficients& c;
  const Places& at;
  std::int64_t i, count;

  NETWRIGHT_INLINE Vec of(float one, int row) const {
    if constexpr (kDiffer) return fetch<kWhole>(at.each + row * at.each_stride + i, count);
    else return splat(one);
  }
  NETWRIGHT_INLINE Vec above() const { return of(c.above, kEachAbove); }
  NETWRIGHT_INLINE Vec after_reset(Vec v, IntVec spiked) const {
    return select(spiked, as_float(as_bits(v) & c.reset_mask) - of(c.reset_less, kEachLess), v);
  }
};

// Eight neurons from `i` on, or the first `count` of them. kUsual: the reset is at once, currents hold all that arrives
// (without receptors: there is an input).
template <int kCount, bool kConductances, bool kHolds, bool kUsual, bool kDiffer, bool kWhole>
NETWRIGHT_INLINE void eight(const Coefficients& c, const Places& at, std::int64_t i, std::int64_t count) {
  const Lanes<kDiffer, kWhole> lanes{c, at, i, count};
  Vec v = fetch<kWhole>(at.membrane + i, count);
  const Vec before = v;
  IntVec past{};
  if (!kUsual && c.delayed) {
    past = v > lanes.above();
    if (!c.subtracts) v = lanes.after_reset(v, past);
  }
  Vec fresh;
  if constexpr (kCount == 0) {
    fresh = lanes.of(c.decay, kEachDecay) * v + lanes.of(c.drive, kEachDrive);
    if (kUsual || at.input[0]) fresh = fresh + lanes.of(c.scale, kEachScale) * fetch<kWhole>(at.input[0] + i, count);
  } else {
    Vec current[kCount], jump[kCount] = {};
    for (int k = 0; k < kCount; ++k) {
      current[k] = fetch<kWhole>(at.current[k] + i, count);
      if (kUsual || !at.input[k]) continue;
      jump[k] = lanes.of(c.scale, kEachScale) * fetch<kWhole>(at.input[k] + i, count);
      if (!c.after) current[k] = current[k] + jump[k];
    }
    if constexpr (kConductances) {
      Vec total = splat(1.0f), pull = lanes.of(c.drive, kEachDrive);
      for (int k = 0; k < kCount; ++k) total = total + current[k], pull = pull + lanes.of(c.reversal[k], kEachReceptors + k) * current[k];
      const Vec rest = pull / total;
      fresh = rest + (v - rest) * plain_exp(-lanes.of(c.rate, kEachRate) * total);
    } else {
      fresh = lanes.of(c.decay, kEachDecay) * v + lanes.of(c.drive, kEachDrive);
      for (int k = 0; k < kCount; ++k) fresh = fresh + lanes.of(c.gain[k], kEachReceptors + k) * current[k];
    }
    for (int k = 0; k < kCount; ++k) {
      Vec next = lanes.of(c.synapse_decay[k], kEachReceptors + kCount + k) * current[k];
      if (!kUsual && c.after && at.input[k]) next = next + jump[k];
      put<kWhole>(at.current[k] + i, next, count);
    }
  }
  if (!kUsual && c.delayed && c.subtracts) fresh = select(past, fresh - lanes.of(c.threshold, kEachThreshold), fresh);
  IntVec spiked;
  if constexpr (kHolds) {
    const IntVec left = as_bits(fetch<kWhole>(at.left + i, count));
    const IntVec held = left > 0;
    fresh = select(held, before, fresh);
    spiked = (fresh > lanes.above()) & ~held;
    put<kWhole>(at.left + i, as_float((spiked & c.refractory_steps) | (~spiked & (left + held))), count);
  } else {
    spiked = fresh > lanes.above();
  }
  const Vec after = !kUsual && c.delayed ? fresh : lanes.after_reset(fresh, spiked);
  put<kWhole>(at.membrane + i, after, count);
  if (at.dense) put<kWhole>(at.dense + i, at.traced ? after : as_float(spiked & as_bits(splat(1.0f))), count);
  const auto bits = static_cast<std::byte>(lane_bits(spiked) & (kWhole ? 0xff : (1 << count) - 1));
  if (at.ring) at.ring[i / 8] = bits;
  if (at.record) at.record[i / 8] = bits;
}

inline constexpr std::int64_t kBlock = 512;  // neurons whose states stay near for all steps of a sequence

// The places of a step of a sequence.
inline Places places(const Call& call, std::int64_t clock, std::int64_t step) {
  Places at{};
  const auto state = [&](int operand) { return reinterpret_cast<float*>(call.operand[operand].data); };
  const auto sequence = [&](int operand) {
    const Operand& x = call.operand[operand];
    return x.data ? reinterpret_cast<float*>(x.data + step * x.stride[0]) : nullptr;
  };
  at.membrane = state(kMembrane), at.left = state(kLeft), at.dense = sequence(kDense);
  for (int k = 0; k < kReceptors; ++k) at.current[k] = state(kCurrent + k), at.input[k] = sequence(kInput + k);
  at.ring = call.operand[kRing].data ? ring_row(call.operand[kRing], later(clock, step)) : nullptr;
  at.record = call.operand[kRecord].data ? ring_row(call.operand[kRecord], later(clock, step)) : nullptr;
  at.traced = call.parameter[kTraced] != 0;
  at.each = reinterpret_cast<const float*>(call.operand[kEach].data);
  at.each_stride = at.each ? call.operand[kEach].stride[0] / 4 : 0;
  return at;
}

template <int kCount, bool kConductances, bool kHolds, bool kUsual, bool kDiffer>
void all_steps(const Call& call) {
  const Coefficients c = coefficients(call);
  const Operand& membrane = call.operand[kMembrane];
  const std::int64_t neurons = membrane.shape[0] * membrane.shape[1], clock = clock_of(call.operand[kClock]);
  std::int64_t steps = 1;
  for (const int operand : {int(kDense), kInput + 0, kInput + 1, kInput + 2, kInput + 3})
    if (const Operand& x = call.operand[operand]; x.data) steps = x.shape[0];
  const Piece mine = piece(call, neurons, 64);
  const std::int64_t block = steps > 1 ? kBlock : std::max<std::int64_t>(mine.end - mine.begin, 1);
  for (std::int64_t begin = mine.begin; begin < mine.end; begin += block) {
    const std::int64_t end = std::min(begin + block, mine.end);
    for (std::int64_t step = 0; step < steps; ++step) {
      const Places at = places(call, clock, step);
      std::int64_t i = begin;
      for (; i + kLanes <= end; i += kLanes) eight<kCount, kConductances, kHolds, kUsual, kDiffer, true>(c, at, i, kLanes);
      if (i < end) eight<kCount, kConductances, kHolds, kUsual, kDiffer, false>(c, at, i, end - i);
    }
  }
}

template <int kCount, bool kConductances, bool kHolds>
void usual_or_not(const Call& call) {
  if (call.operand[kEach].data) return all_steps<kCount, kConductances, kHolds, false, true>(call);
  bool inputs = false;
  for (int k = 0; k < kReceptors; ++k) inputs |= call.operand[kInput + k].data != nullptr;
  const bool usual = call.parameter[kResetDelay] == 0 && inputs == (kCount == 0);
  usual ? all_steps<kCount, kConductances, kHolds, true, false>(call) : all_steps<kCount, kConductances, kHolds, false, false>(call);
}

template <int kCount, bool kConductances>
void held_or_not(const Call& call) {
  call.operand[kLeft].data ? usual_or_not<kCount, kConductances, true>(call) : usual_or_not<kCount, kConductances, false>(call);
}

template <int kCount>
void by_conductance(const Call& call) {
  call.parameter[kConductance] ? held_or_not<kCount, true>(call) : held_or_not<kCount, false>(call);
}

}  // namespace

void neuron(const Call& call) {
  switch (call.parameter[kNumReceptors]) {
    case 0: return held_or_not<0, false>(call);
    case 1: return by_conductance<1>(call);
    case 2: return by_conductance<2>(call);
    case 3: return by_conductance<3>(call);
    default: return by_conductance<4>(call);
  }
}

}  // namespace netwright::NETWRIGHT_ISA
