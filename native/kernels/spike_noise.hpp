// Random numbers by counter: the same for a (seed, stream, neuron, step) whoever draws them, in whatever order.
// Source: Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011, doi 10.1145/2063384.2063405).
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/float_vector.hpp"
#include "kernels/spike_kernels.hpp"
#include "kernels/spike_shape.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

using namespace netwright::spike;

struct Product {
  IntVec high, low;
};

NETWRIGHT_INLINE Product multiply(IntVec a, std::uint32_t b) {
#if defined(__AVX2__)
  const __m256i factor = _mm256_set1_epi32(static_cast<int>(b)), x = __m256i(a);
  const __m256i even = _mm256_mul_epu32(x, factor), odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), factor);
  const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  const __m256i low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
  return {IntVec(high), IntVec(low)};
#else
  Product product{};
  for (int i = 0; i < kLanes; ++i) {
    const std::uint64_t wide = std::uint64_t{static_cast<std::uint32_t>(a[i])} * b;
    product.high[i] = static_cast<std::int32_t>(wide >> 32), product.low[i] = static_cast<std::int32_t>(wide);
  }
  return product;
#endif
}

NETWRIGHT_INLINE IntVec splat_int(std::uint32_t value) { return IntVec{} + static_cast<std::int32_t>(value); }

struct Key {
  std::uint32_t low, high, stream;
};

inline Key key_of(const Call& call, int first) {
  const auto seed = static_cast<std::uint64_t>(call.parameter[first]);
  return {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
          static_cast<std::uint32_t>(call.parameter[first + 1])};
}

// Words of 32 neighbours: word w of lane j is that of neuron 32 block + 8 w + j. Counter: group (four neurons of the
// same lane), low and high of `step`, stream.
NETWRIGHT_INLINE void philox(std::uint32_t block, std::uint64_t step, Key key, IntVec word[4]) {
  IntVec c0 = splat_int(block * 8) + IntVec{0, 1, 2, 3, 4, 5, 6, 7}, c1 = splat_int(static_cast<std::uint32_t>(step));
  IntVec c2 = splat_int(static_cast<std::uint32_t>(step >> 32)), c3 = splat_int(key.stream);
  std::uint32_t k0 = key.low, k1 = key.high;
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    const Product a = multiply(c0, 0xD2511F53u), b = multiply(c2, 0xCD9E8D57u);
    c0 = b.high ^ c1 ^ splat_int(k0), c2 = a.high ^ c3 ^ splat_int(k1);
    c1 = b.low, c3 = a.low;
  }
  word[0] = c0, word[1] = c1, word[2] = c2, word[3] = c3;
}

// each(i, words) for every eight neurons from a multiple of 32 on.
template <class Each>
NETWRIGHT_INLINE void each_eight(std::int64_t begin, std::int64_t end, std::uint64_t step, Key key, Each&& each) {
  for (std::int64_t base = begin / 32 * 32; base < end; base += 32) {
    IntVec word[4];
    philox(static_cast<std::uint32_t>(base / 32), step, key, word);
    for (int w = 0; w < 4; ++w)
      if (base + 8 * w < end && base + 8 * w >= begin) each(base + 8 * w, word[w]);
  }
}

// Unsigned order as signed: both sides with their top bit turned.
NETWRIGHT_INLINE IntVec turned(IntVec word) { return word ^ splat_int(0x80000000u); }
inline std::int32_t turned(std::int64_t bound) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(bound) ^ 0x80000000u); }

inline constexpr int kMostThresholds = 64;

}  // namespace

void poisson(const Call& call) {
  const Operand &sum = call.operand[0], &bounds = call.operand[2];
  const std::int64_t neurons = sum.shape[sum.rank - 1], number = bounds.shape[0];
  const auto weight = static_cast<float>(call.real(3));
  const bool fresh = call.parameter[2] != 0;
  std::int32_t bound[kMostThresholds];
  for (std::int64_t j = 0; j < number; ++j) bound[j] = turned(reinterpret_cast<const std::int64_t*>(bounds.data)[j]);
  const auto to = reinterpret_cast<float*>(sum.data);
  const Piece mine = piece(call, neurons, 32);
  const auto step = static_cast<std::uint64_t>(clock_of(call.operand[1]));
  each_eight(mine.begin, mine.end, step, key_of(call, 0), [&](std::int64_t i, IntVec word) {
    IntVec events{};
    const IntVec drawn = turned(word);
    for (std::int64_t j = 0; j < number; ++j) events -= ~(IntVec{} + bound[j] > drawn);
    const int part = int(std::min<std::int64_t>(kLanes, mine.end - i));
    const Vec added = splat(weight) * to_float(events);
    const Vec before = fresh ? Vec{} : load_part(to + i, part);
    store_part(to + i, before + added, part);
  });
}

void spike_source(const Call& call) {
  const Operand &ring = call.operand[0], &record = call.operand[1], &chance = call.operand[3];
  const std::int64_t neurons = call.parameter[2], clock = clock_of(call.operand[2]);
  const auto step = static_cast<std::uint64_t>(clock);
  std::byte* const now = ring.data ? ring_row(ring, clock) : nullptr;
  std::byte* const kept = record.data ? ring_row(record, clock) : nullptr;
  const auto bounds = reinterpret_cast<const std::int64_t*>(chance.data);
  const bool shared = chance.shape[0] == 1;
  const Piece mine = piece(call, neurons, 64);
  each_eight(mine.begin, mine.end, step, key_of(call, 0), [&](std::int64_t i, IntVec word) {
    unsigned bits = 0;
    for (int lane = 0; lane < kLanes && i + lane < mine.end; ++lane) {
      const bool fires = std::int64_t{static_cast<std::uint32_t>(word[lane])} < bounds[shared ? 0 : i + lane];
      bits |= unsigned(fires) << lane;
    }
    if (now) now[i / 8] = static_cast<std::byte>(bits);
    if (kept) kept[i / 8] = static_cast<std::byte>(bits);
  });
}

void spike_procedural(const Call& call) {
  const Operand &sum = call.operand[0], &ring = call.operand[2];
  const std::int64_t neurons = sum.shape[sum.rank - 1];
  const auto list = reinterpret_cast<std::int32_t*>(call.workspace);
  const std::byte* row = ring_row(ring, later(clock_of(call.operand[1]), -call.parameter[0]));
  const std::int64_t spikes = listed(row, call.parameter[1], call.parameter[2], list);
  const Piece mine = piece(call, neurons, 32);
  const auto to = reinterpret_cast<float*>(sum.data);
  if (call.parameter[3]) std::fill(to + mine.begin, to + mine.end, 0.0f);
  const auto weight = static_cast<float>(call.real(7));
  const IntVec bound = IntVec{} + turned(call.parameter[6]);
  for (std::int64_t s = 0; s < spikes; ++s)
    each_eight(mine.begin, mine.end, static_cast<std::uint64_t>(list[s]), key_of(call, 4), [&](std::int64_t i, IntVec word) {
      const int part = int(std::min<std::int64_t>(kLanes, mine.end - i));
      const IntVec joined = bound > turned(word);
      store_part(to + i, load_part(to + i, part) + as_float(joined & as_bits(splat(weight))), part);
    });
}

}  // namespace netwright::NETWRIGHT_ISA
