#include "kernels/spike_deliver.hpp"

#include "kernels/spike_check.hpp"

namespace netwright {

// sum ; clock, ring, weight [sources, targets] | delay, first, sources, fresh, expected
const char* check::spike_rows(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, 4, 4, 5));
  const Operand &sum = call.operand[0], &weight = call.operand[3];
  NETWRIGHT_TRY(check::sum_of(sum));
  NETWRIGHT_TRY(check::clock(call.operand[1]));
  NETWRIGHT_TRY(check::past_spikes(call.operand[2], call.parameter[0], call.parameter[1], call.parameter[2]));
  NETWRIGHT_TRY(check::view(weight, Format::fp32, 2));
  NETWRIGHT_REFUSE_IF(weight.shape[0] != call.parameter[2] || weight.shape[1] != sum.shape[sum.rank - 1], "the weight does not fit sources and targets");
  NETWRIGHT_REFUSE_IF(!check::contiguous(weight, 1), "a row of the weight is not contiguous");
  return check::in_range(call, 3, 1, 0, 1) ? nullptr : "a flag is not 0 or 1";
}

// out [R, N] ; x [R, K], weight [K, N], bias [N]? | density
const char* check::matmul_spikes(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, 4, 4, 1));
  const Operand &out = call.operand[0], &x = call.operand[1], &weight = call.operand[2];
  NETWRIGHT_TRY(check::view(out, Format::fp32, 2));
  NETWRIGHT_TRY(check::view(x, Format::fp32, 2));
  NETWRIGHT_TRY(check::view(weight, Format::fp32, 2));
  NETWRIGHT_REFUSE_IF(out.shape[0] != x.shape[0] || x.shape[1] != weight.shape[0] || out.shape[1] != weight.shape[1], "sizes do not fit");
  NETWRIGHT_REFUSE_IF(!check::contiguous(out, 1) || !check::contiguous(x, 1) || !check::contiguous(weight, 1), "a row is not contiguous");
  NETWRIGHT_REFUSE_IF(x.shape[1] > (std::int64_t{1} << 30), "too many inputs");
  return check::optional_vector(call, 3, out.shape[1]);
}

std::int64_t workspace::spikes_of_bits(const Call& call) { return 4 * (call.parameter[2] + 64); }
std::int64_t workspace::spikes_of_row(const Call& call) { return 8 * (call.operand[2].shape[0] + 16); }

}  // namespace netwright
