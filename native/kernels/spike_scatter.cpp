// Sparse rows: every spike adds the weights of its row to its targets. One form: there is nothing to vectorise.
#include <algorithm>

#include "kernels/spike_check.hpp"
#include "kernels/spike_kernels.hpp"

namespace netwright {
namespace {

using namespace spike;

// sum ; clock, ring, starts [blocks, sources + 1] int32, targets [synapses], weight [1 or synapses]
//     | delay, first, sources, fresh, expected
enum Place { kSum, kClockAt, kRingAt, kStarts, kTargets, kWeight, kOperands };

template <class Index, bool kOwn>
void add(float* sum, const Index* target, const float* weight, std::int64_t begin, std::int64_t end) {
  for (std::int64_t e = begin; e < end; ++e) sum[target[e]] += kOwn ? weight[e] : weight[0];
}

template <class Index, bool kOwn>
void scatter(const Call& call) {
  const Operand &sum = call.operand[kSum], &starts = call.operand[kStarts];
  const auto list = reinterpret_cast<std::int32_t*>(call.workspace);
  const std::byte* row = ring_row(call.operand[kRingAt], later(clock_of(call.operand[kClockAt]), -call.parameter[0]));
  const std::int64_t spikes = listed(row, call.parameter[1], call.parameter[2], list);
  const auto to = reinterpret_cast<float*>(sum.data);
  const auto target = reinterpret_cast<const Index*>(call.operand[kTargets].data);
  const auto weight = reinterpret_cast<const float*>(call.operand[kWeight].data);
  const Piece mine = piece(call, starts.shape[0]);
  for (std::int64_t block = mine.begin; block < mine.end; ++block) {
    const Piece owned = block_of(sum.shape[sum.rank - 1], block, starts.shape[0]);
    if (call.parameter[3]) std::fill(to + owned.begin, to + owned.end, 0.0f);
    const auto start = reinterpret_cast<const std::int32_t*>(starts.data + block * starts.stride[0]);
    for (std::int64_t s = 0; s < spikes; ++s) {
      constexpr std::int64_t kAhead = 4;
      if (s + kAhead < spikes) __builtin_prefetch(target + start[list[s + kAhead]]);
      add<Index, kOwn>(to, target, weight, start[list[s]], start[list[s] + 1]);
    }
  }
}

// Targets below the neurons, and of each block its own; rows in order. What is read here cannot change later: the
// opcode asks for memory that no task writes.
template <class Index>
const char* rows_fit(const Call& call) {
  const Operand &sum = call.operand[kSum], &starts = call.operand[kStarts];
  const std::int64_t blocks = starts.shape[0], synapses = call.operand[kTargets].shape[0];
  const auto target = reinterpret_cast<const Index*>(call.operand[kTargets].data);
  for (std::int64_t block = 0; block < blocks; ++block) {
    const auto start = reinterpret_cast<const std::int32_t*>(starts.data + block * starts.stride[0]);
    for (std::int64_t s = 0; s < starts.shape[1]; ++s)
      NETWRIGHT_REFUSE_IF(start[s] < (s ? start[s - 1] : 0) || start[s] > synapses, "rows of synapses are out of order");
    const Piece owned = block_of(sum.shape[sum.rank - 1], block, blocks);
    Index least = static_cast<Index>(owned.begin), most = least;
    for (std::int64_t e = start[0]; e < start[starts.shape[1] - 1]; ++e)
      least = std::min(least, target[e]), most = std::max(most, target[e]);
    const bool any = start[0] < start[starts.shape[1] - 1];
    NETWRIGHT_REFUSE_IF(any && (static_cast<std::int64_t>(least) < owned.begin || static_cast<std::int64_t>(most) >= owned.end),
                        "a target outside its block of neurons");
  }
  return nullptr;
}

}  // namespace

const char* check::spike_scatter(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, kOperands, kOperands, 5));
  const Operand &starts = call.operand[kStarts], &targets = call.operand[kTargets], &weight = call.operand[kWeight];
  NETWRIGHT_TRY(check::sum_of(call.operand[kSum]));
  NETWRIGHT_TRY(check::clock(call.operand[kClockAt]));
  NETWRIGHT_TRY(check::past_spikes(call.operand[kRingAt], call.parameter[0], call.parameter[1], call.parameter[2]));
  NETWRIGHT_TRY(check::view(starts, Format::int32, 2));
  NETWRIGHT_REFUSE_IF(starts.shape[0] < 1 || starts.shape[1] != call.parameter[2] + 1 || !check::contiguous(starts, 1), "rows of synapses do not fit the sources");
  NETWRIGHT_REFUSE_IF(targets.format != Format::uint16 && targets.format != Format::int32, "targets are neither uint16 nor int32");
  NETWRIGHT_TRY(check::view(targets, targets.format, 1));
  NETWRIGHT_TRY(check::view(weight, Format::fp32, 1));
  NETWRIGHT_REFUSE_IF(weight.shape[0] != 1 && weight.shape[0] != targets.shape[0], "neither one weight nor one a synapse");
  NETWRIGHT_REFUSE_IF(!check::contiguous(targets, 0) || !check::contiguous(weight, 0), "targets or weights are not contiguous");
  NETWRIGHT_REFUSE_IF(!check::in_range(call, 3, 1, 0, 1), "a flag is not 0 or 1");
  return nullptr;
}

const char* check::scatter_rows(const Call& call) {
  const bool narrow = call.operand[kTargets].format == Format::uint16;
  return narrow ? rows_fit<std::uint16_t>(call) : rows_fit<std::int32_t>(call);
}

void baseline::spike_scatter(const Call& call) {
  const bool narrow = call.operand[kTargets].format == Format::uint16, own = call.operand[kWeight].shape[0] != 1;
  if (narrow) own ? scatter<std::uint16_t, true>(call) : scatter<std::uint16_t, false>(call);
  else own ? scatter<std::int32_t, true>(call) : scatter<std::int32_t, false>(call);
}

// clock
const char* check::tick(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, 1, 1, 0));
  return check::clock(call.operand[0]);
}

void baseline::tick(const Call& call) {
  auto& clock = *reinterpret_cast<std::int64_t*>(call.operand[0].data);
  if (call.part == 0) clock = later(clock, 1);
}

// to [R, n] ; from [S, n], clock
const char* check::row_copy(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, 3, 3, 0));
  const Operand &to = call.operand[0], &from = call.operand[1];
  NETWRIGHT_TRY(check::view(to, to.format, 2));
  NETWRIGHT_TRY(check::view(from, to.format, 2));
  NETWRIGHT_REFUSE_IF(to.shape[0] < 1 || from.shape[0] < 1 || to.shape[1] != from.shape[1], "rows do not fit each other");
  NETWRIGHT_REFUSE_IF(!check::contiguous(to, 1) || !check::contiguous(from, 1), "a row is not contiguous");
  return check::clock(call.operand[2]);
}

void baseline::row_copy(const Call& call) {
  if (call.part != 0) return;
  const Operand &to = call.operand[0], &from = call.operand[1];
  const std::int64_t step = clock_of(call.operand[2]);
  std::memmove(ring_row(to, step), ring_row(from, step), static_cast<std::size_t>(to.shape[1] * check::element_bytes(to.format)));
}

}  // namespace netwright
