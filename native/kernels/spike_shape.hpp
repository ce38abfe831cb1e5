// What the spiking kernels take out of their records. Spikes of a step are bits: neuron i is bit i % 8 of byte i / 8,
// rows are whole words of 64, and what lies behind the last neuron is zero.
#pragma once

#include <cstdint>
#include <cstring>

#include "vm/opcode.hpp"

namespace netwright::spike {

inline constexpr int kReceptors = 4;  // the most that a neuron can have

inline std::int64_t row_bytes(std::int64_t neurons) { return (neurons + 63) / 64 * 8; }

inline std::int64_t clock_of(const Operand& clock) {
  return clock.data ? *reinterpret_cast<const std::int64_t*>(clock.data) : 0;
}

// A clock may hold any number: sums wrap.
inline std::int64_t later(std::int64_t clock, std::int64_t steps) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(clock) + static_cast<std::uint64_t>(steps));
}

// Row of step `step` in a ring of bits [rows, bytes].
inline std::byte* ring_row(const Operand& ring, std::int64_t step) {
  const std::int64_t slot = step % ring.shape[0];
  return ring.data + (slot < 0 ? slot + ring.shape[0] : slot) * ring.stride[0];
}

inline std::uint64_t word_of(const std::byte* row, std::int64_t index) {
  std::uint64_t word;
  std::memcpy(&word, row + 8 * index, 8);
  return word;
}

// Indices, counted from `first`, of the spikes among neurons [first, first + count); → how many.
inline std::int64_t listed(const std::byte* row, std::int64_t first, std::int64_t count, std::int32_t* to) {
  std::int64_t found = 0;
  const std::int64_t end = first + count;
  for (std::int64_t index = first / 64; index * 64 < end; ++index) {
    std::uint64_t word = word_of(row, index);
    if (index * 64 < first) word &= ~std::uint64_t{0} << (first - index * 64);
    if (end - index * 64 < 64) word &= (std::uint64_t{1} << (end - index * 64)) - 1;
    for (; word; word &= word - 1)
      to[found++] = static_cast<std::int32_t>(index * 64 + __builtin_ctzll(word) - first);
  }
  return found;
}

// Targets [begin, end) of block `block` of `blocks`: multiples of 16.
inline Piece block_of(std::int64_t targets, std::int64_t block, std::int64_t blocks) {
  const std::int64_t units = (targets + 15) / 16;
  const std::int64_t begin = units * block / blocks * 16, end = units * (block + 1) / blocks * 16;
  return {begin < targets ? begin : targets, end < targets ? end : targets};
}

// Operands of `neuron`.
enum NeuronOperand {
  kRing, kRecord, kDense, kMembrane, kLeft, kCurrent, kNeuronWritten = kCurrent + kReceptors,
  kClock = kNeuronWritten, kInput, kEach = kInput + kReceptors, kNeuronOperands
};
// Rows of `each` [rows, B * n]: coefficients of neurons that differ; those of K receptors follow, gains (of conductances:
// reversals) first, then decays. `above` serves both comparisons; `less` is what a spike takes off.
enum EachRow { kEachAbove, kEachThreshold, kEachLess, kEachDecay, kEachDrive, kEachScale, kEachRate, kEachReceptors };
// Integer parameters of `neuron`, then its reals.
enum NeuronParameter {
  kNumReceptors, kConductance, kReset, kResetDelay, kIncluded, kRefractorySteps, kInputAfter, kTraced, kThreshold,
  kResetValue, kDecay, kDrive, kScale, kRate, kGain, kSynapseDecay = kGain + kReceptors,
  kReversal = kSynapseDecay + kReceptors, kExpected = kReversal + kReceptors, kNeuronParameters
};
enum Reset { kResetNone, kResetSubtract, kResetValueTo };

}  // namespace netwright::spike
