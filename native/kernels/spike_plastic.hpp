// Synapses that learn. Only the rows of sources that fired, and the columns of targets that fired, are touched.
// A block of targets owns all synapses onto them, so pieces share nothing; every sum is taken in the order of the spikes.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/float_vector.hpp"
#include "kernels/spike_kernels.hpp"
#include "kernels/spike_listed.hpp"
#include "kernels/spike_plastic_shape.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

using namespace netwright::spike;

template <class Number>
const Number* numbers(const Operand& operand, std::int64_t row = 0) {
  return reinterpret_cast<const Number*>(operand.data + row * operand.stride[0]);
}

NETWRIGHT_INLINE IntVec load_indices(const std::int32_t* from, int count) {
  if (count == kLanes) {
    IntVec value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  return as_bits(load_part(reinterpret_cast<const float*>(from), count));
}

// Lanes that stand for nothing have index 0, which is always there.
NETWRIGHT_INLINE Vec gathered(const float* from, IntVec index) {
#if defined(__AVX2__)
  return Vec(_mm256_i32gather_ps(from, __m256i(index), 4));
#else
  Vec value{};
  for (int lane = 0; lane < kLanes; ++lane) value[lane] = from[index[lane]];
  return value;
#endif
}

NETWRIGHT_INLINE void scatter(float* to, const std::int32_t* index, Vec value, int count) {
  float lane[kLanes];
  store(lane, value);
  if (count == kLanes) {
#pragma GCC unroll 8
    for (int i = 0; i < kLanes; ++i) to[index[i]] = lane[i];
  } else {
    for (int i = 0; i < count; ++i) to[index[i]] = lane[i];
  }
}

// What a synapse becomes: each sum held between 0 and its own end; an end of 0 leaves it alone.
NETWRIGHT_INLINE Vec held(Vec before, Vec after, Vec end) {
  const Vec low = min(end, Vec{}), high = max(end, Vec{});
  return select(IntVec(end == Vec{}), before, min(high, max(low, after)));
}

// A list of synapses: starts of its rows or columns, their numbers (none: k itself), other ends, and where weights end.
struct List {
  const std::int32_t *start, *synapse, *other;
  const float* end;

  List(const Call& call, int place, std::int64_t block)
      : start(numbers<std::int32_t>(call.operand[place], block)),
        synapse(numbers<std::int32_t>(call.operand[place + 1])),
        other(numbers<std::int32_t>(call.operand[place + 2])),
        end(numbers<float>(call.operand[place + 3])) {}
};

// One sample's weights and neurons. `hit`: 1 where a target fired, else 0; `quiet`: the trace of a source, 0 where it
// fired now: its synapses have been renewed with its row.
struct Learning {
  float* weight;
  const float *trace_pre, *trace_post, *hit, *quiet;
  Vec rise, fall;
};

// The row of source `i`: it fired; its targets may have, too.
template <bool kNumbered>
void renew_row(const Learning& l, const List& list, std::int64_t i) {
  const Vec trace = splat(l.trace_pre[i]);
  for (std::int64_t k = list.start[i], end = list.start[i + 1]; k < end; k += kLanes) {
    const int part = int(std::min<std::int64_t>(kLanes, end - k));
    const IntVec target = load_indices(list.other + k, part);
    const Vec limit = load_part(list.end + k, part);
    const Vec before = kNumbered ? gathered(l.weight, load_indices(list.synapse + k, part)) : load_part(l.weight + k, part);
    const IntVec above = IntVec(limit > Vec{});
    const Vec by_post = select(above, l.rise, l.fall) * trace * gathered(l.hit, target);
    const Vec by_pre = select(above, l.fall, l.rise) * gathered(l.trace_post, target);
    const Vec after = held(before, before + by_post + by_pre, limit);
    if (kNumbered) scatter(l.weight, list.synapse + k, after, part);
    else store_part(l.weight + k, after, part);
  }
}

// The column of target `j`, which fired: from sources that did not.
void renew_column(const Learning& l, const List& list, std::int64_t j) {
  for (std::int64_t k = list.start[j], end = list.start[j + 1]; k < end; k += kLanes) {
    const int part = int(std::min<std::int64_t>(kLanes, end - k));
    const Vec limit = load_part(list.end + k, part);
    const Vec before = gathered(l.weight, load_indices(list.synapse + k, part));
    const Vec by_post = select(IntVec(limit > Vec{}), l.rise, l.fall) * gathered(l.quiet, load_indices(list.other + k, part));
    scatter(l.weight, list.synapse + k, held(before, before + by_post, limit), part);
  }
}

void renew(const Call& call, std::int64_t sample, std::int64_t block, std::byte* workspace) {
  const Operand& post = call.operand[kStdpPost];
  const std::int64_t sources = call.operand[kStdpTracePre].shape[1], targets = post.shape[2];
  const auto list = reinterpret_cast<std::int32_t*>(workspace);
  const auto factor = reinterpret_cast<float*>(list + std::max(sources, targets)), hit = factor + std::max(sources, targets);
  const auto quiet = hit + targets;
  const auto fired_pre = reinterpret_cast<const float*>(call.operand[kStdpPre].data + sample * call.operand[kStdpPre].stride[1]);
  const auto fired_post = reinterpret_cast<const float*>(post.data + sample * post.stride[1]);
  const auto trace_pre = numbers<float>(call.operand[kStdpTracePre], sample);
  for (std::int64_t i = 0; i < sources; ++i) quiet[i] = fired_pre[i] != 0.0f ? 0.0f : trace_pre[i];
  for (std::int64_t j = 0; j < targets; ++j) hit[j] = fired_post[j] != 0.0f ? 1.0f : 0.0f;
  const Learning l{reinterpret_cast<float*>(call.operand[kStdpWeight].data + sample * call.operand[kStdpWeight].stride[0]), trace_pre,
                   numbers<float>(call.operand[kStdpTracePost], sample), hit, quiet, splat(static_cast<float>(call.real(0))),
                   splat(-*numbers<float>(call.operand[kStdpFall], sample))};
  const List rows(call, kStdpRows, block), columns(call, kStdpColumns, 0);
  const std::int64_t spikes = listed_values(fired_pre, sources, list, factor).count;
  for (std::int64_t s = 0; s < spikes; ++s) rows.synapse ? renew_row<true>(l, rows, list[s]) : renew_row<false>(l, rows, list[s]);
  const Piece owned = block_of(targets, block, call.operand[kStdpRows].shape[0]);
  const std::int64_t fired = listed_values(fired_post + owned.begin, owned.end - owned.begin, list, factor).count;
  for (std::int64_t s = 0; s < fired; ++s) renew_column(l, columns, owned.begin + list[s]);
}

template <bool kNumbered>
void add_rows_of(const Call& call, std::int64_t sample, std::int64_t block, std::byte* workspace) {
  const Operand &sum = call.operand[kPlasticSum], &spikes = call.operand[kPlasticSpikes], &starts = call.operand[kPlasticStarts];
  const std::int64_t sources = spikes.shape[2];
  const auto list = reinterpret_cast<std::int32_t*>(workspace);
  const auto factor = reinterpret_cast<float*>(list + sources);
  const auto from = reinterpret_cast<const float*>(spikes.data + sample * spikes.stride[1]);
  const auto to = reinterpret_cast<float*>(sum.data + sample * sum.stride[1]);
  const auto weight = numbers<float>(call.operand[kPlasticWeight], sample);
  const auto synapses = numbers<std::int32_t>(call.operand[kPlasticSynapses]), targets = numbers<std::int32_t>(call.operand[kPlasticTargets]);
  const auto start = numbers<std::int32_t>(starts, block);
  const Piece owned = block_of(sum.shape[2], block, starts.shape[0]);
  std::fill(to + owned.begin, to + owned.end, 0.0f);
  const std::int64_t fired = listed_values(from, sources, list, factor).count;
  for (std::int64_t s = 0; s < fired; ++s)
    for (std::int64_t k = start[list[s]]; k < start[list[s] + 1]; ++k)
      to[targets[k]] += weight[kNumbered ? synapses[k] : k] * factor[s];
}

}  // namespace

void plastic_connect(const Call& call) {
  const std::int64_t blocks = call.operand[kPlasticStarts].shape[0];
  const Piece mine = piece(call, call.operand[kPlasticSum].shape[1] * blocks);
  const bool numbered = call.operand[kPlasticSynapses].data;
  for (std::int64_t unit = mine.begin; unit < mine.end; ++unit)
    numbered ? add_rows_of<true>(call, unit / blocks, unit % blocks, call.workspace)
             : add_rows_of<false>(call, unit / blocks, unit % blocks, call.workspace);
}

void stdp(const Call& call) {
  const std::int64_t blocks = call.operand[kStdpRows].shape[0];
  const Piece mine = piece(call, call.operand[kStdpWeight].shape[0] * blocks);
  for (std::int64_t unit = mine.begin; unit < mine.end; ++unit) renew(call, unit / blocks, unit % blocks, call.workspace);
}

// What falls below the smallest normal number is gone: a trace that decays without end costs no more for it.
void spike_trace(const Call& call) {
  const Operand &x = call.operand[0], &spikes = call.operand[1];
  const Vec decay = splat(static_cast<float>(call.real(0))), jump = splat(static_cast<float>(call.real(1)));
  const Vec least = splat(std::numeric_limits<float>::min());
  const Piece mine = piece(call, x.shape[0] * x.shape[1], 16);
  const auto to = reinterpret_cast<float*>(x.data);
  const auto from = reinterpret_cast<const float*>(spikes.data);
  for (std::int64_t i = mine.begin; i < mine.end; i += kLanes) {
    const int part = int(std::min<std::int64_t>(kLanes, mine.end - i));
    const Vec after = decay * (load_part(to + i, part) + jump * load_part(from + i, part));
    store_part(to + i, select(IntVec(abs(after) < least), Vec{}, after), part);
  }
}

void astrocyte(const Call& call) {
  const Operand& a = call.operand[0];
  const float gain = static_cast<float>(call.real(0)), tau = static_cast<float>(call.real(1)), rest = static_cast<float>(call.real(2));
  const auto total = [&](const Operand& spikes, std::int64_t sample) {
    const auto from = reinterpret_cast<const float*>(spikes.data + sample * spikes.stride[1]);
    Vec sum{};
    for (std::int64_t i = 0; i < spikes.shape[2]; i += kLanes) {
      const int part = int(std::min<std::int64_t>(kLanes, spikes.shape[2] - i));
      sum = sum + load_part(from + i, part);
    }
    return sum_lanes(sum);
  };
  const Piece mine = piece(call, a.shape[0]);
  for (std::int64_t sample = mine.begin; sample < mine.end; ++sample) {
    auto& felt = *reinterpret_cast<float*>(a.data + sample * a.stride[0]);
    const float more = total(call.operand[1], sample) - total(call.operand[2], sample);
    const float after = felt + (gain * more + rest - felt) / tau;
    felt = after < 0.0f ? 0.0f : after;
  }
}

}  // namespace netwright::NETWRIGHT_ISA
