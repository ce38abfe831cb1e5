#include "kernels/spike_noise.hpp"

#include "kernels/spike_check.hpp"

namespace netwright {
namespace {

// Bounds of 32-bit draws.
const char* bounds(const Operand& operand, std::int64_t least, std::int64_t most) {
  NETWRIGHT_TRY(check::view(operand, Format::int64, 1));
  NETWRIGHT_REFUSE_IF(operand.shape[0] < least || operand.shape[0] > most || !check::contiguous(operand, 0), "wrong number of bounds");
  return nullptr;
}

const char* key(const Call& call, int first) {
  return check::in_range(call, first + 1, 1, 0, 0xffffffff) ? nullptr : "the stream is out of range";
}

}  // namespace

// sum ; clock, bounds [m] | seed, stream, fresh, weight
const char* check::poisson(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, 3, 3, 4));
  NETWRIGHT_TRY(check::sum_of(call.operand[0]));
  NETWRIGHT_TRY(check::clock(call.operand[1]));
  NETWRIGHT_TRY(bounds(call.operand[2], 0, 64));
  NETWRIGHT_TRY(key(call, 0));
  return check::in_range(call, 2, 1, 0, 1) ? nullptr : "a flag is not 0 or 1";
}

// ring?, record? ; clock, bounds [1 or neurons] | seed, stream, neurons, expected
const char* check::spike_source(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, 4, 4, 4));
  NETWRIGHT_REFUSE_IF(!check::in_range(call, 2, 1, 1, std::int64_t{1} << 31), "no neurons, or too many");
  for (int place = 0; place < 2; ++place) {
    const Operand& rows = call.operand[place];
    if (!rows.data) continue;
    NETWRIGHT_TRY(check::view(rows, Format::uint8, 2));
    NETWRIGHT_REFUSE_IF(rows.shape[0] < 1 || rows.shape[1] != spike::row_bytes(call.parameter[2]) || !check::contiguous(rows, 1), "rows of spikes have the wrong size");
  }
  NETWRIGHT_TRY(check::clock(call.operand[2]));
  NETWRIGHT_TRY(bounds(call.operand[3], 1, call.parameter[2]));
  NETWRIGHT_REFUSE_IF(call.operand[3].shape[0] != 1 && call.operand[3].shape[0] != call.parameter[2], "neither one chance nor one a neuron");
  return key(call, 0);
}

// sum ; clock, ring | delay, first, sources, fresh, seed, stream, bound, weight, expected
const char* check::spike_procedural(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, 3, 3, 9));
  NETWRIGHT_TRY(check::sum_of(call.operand[0]));
  NETWRIGHT_TRY(check::clock(call.operand[1]));
  NETWRIGHT_TRY(check::past_spikes(call.operand[2], call.parameter[0], call.parameter[1], call.parameter[2]));
  NETWRIGHT_REFUSE_IF(!check::in_range(call, 3, 1, 0, 1), "a flag is not 0 or 1");
  NETWRIGHT_REFUSE_IF(!check::in_range(call, 6, 1, 0, 0xffffffff), "the chance is out of range");
  return key(call, 4);
}

}  // namespace netwright
