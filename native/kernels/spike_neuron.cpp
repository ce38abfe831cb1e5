#include "kernels/spike_neuron.hpp"

#include "kernels/float_check.hpp"

namespace netwright {
namespace {

using namespace spike;

const char* rows_of_bits(const Operand& operand, std::int64_t neurons) {
  NETWRIGHT_TRY(check::view(operand, Format::uint8, 2));
  NETWRIGHT_REFUSE_IF(operand.shape[0] < 1 || operand.shape[1] != row_bytes(neurons), "rows of spikes have the wrong size");
  return check::contiguous(operand, 1) ? nullptr : "a row of spikes is not contiguous";
}

// [T, B, n] of as many steps as the others that are there.
const char* sequence(const Operand& operand, const Operand& membrane, std::int64_t& steps) {
  if (!operand.data) return nullptr;
  NETWRIGHT_TRY(check::view(operand, Format::fp32, 3));
  NETWRIGHT_REFUSE_IF(operand.shape[1] != membrane.shape[0] || operand.shape[2] != membrane.shape[1], "a sequence does not fit the states");
  NETWRIGHT_REFUSE_IF(steps >= 0 && steps != operand.shape[0], "sequences of different lengths");
  steps = operand.shape[0];
  const bool packed = operand.shape[1] <= 1 || operand.stride[1] == 4 * operand.shape[2];
  return packed && check::contiguous(operand, 2) ? nullptr : "a step is not contiguous";
}

}  // namespace

const char* check::neuron(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, kNeuronOperands, kNeuronOperands, kNeuronParameters));
  NETWRIGHT_REFUSE_IF(!check::in_range(call, kNumReceptors, 1, 0, kReceptors), "too many receptors");
  NETWRIGHT_REFUSE_IF(!check::in_range(call, kReset, 1, 0, kResetValueTo), "unknown reset");
  NETWRIGHT_REFUSE_IF(!check::in_range(call, kConductance, 1, 0, 1) || !check::in_range(call, kResetDelay, 2, 0, 1) ||
                          !check::in_range(call, kInputAfter, 2, 0, 1), "a flag is not 0 or 1");
  NETWRIGHT_REFUSE_IF(!check::in_range(call, kRefractorySteps, 1, 0, 1 << 30), "the refractory time is out of range");
  const std::int64_t receptors = call.parameter[kNumReceptors];
  NETWRIGHT_REFUSE_IF(call.parameter[kConductance] && receptors == 0, "conductances need receptors");
  const Operand& membrane = call.operand[kMembrane];
  NETWRIGHT_TRY(check::view(membrane, Format::fp32, 2));
  NETWRIGHT_REFUSE_IF(membrane.shape[0] > 1 && membrane.stride[0] != 4 * membrane.shape[1], "a state is not contiguous");
  NETWRIGHT_REFUSE_IF(!check::contiguous(membrane, 1), "a state is not contiguous");
  const std::int64_t neurons = membrane.shape[0] * membrane.shape[1];
  for (int k = 0; k < kReceptors; ++k) {
    const Operand& current = call.operand[kCurrent + k];
    if (k >= receptors) {
      NETWRIGHT_REFUSE_IF(current.data, "a current that no receptor has");
      continue;
    }
    NETWRIGHT_TRY(check::view(current, Format::fp32, 2));
    NETWRIGHT_REFUSE_IF(!check::same_shape(current, membrane) || (current.shape[0] > 1 && current.stride[0] != 4 * current.shape[1]) ||
                            !check::contiguous(current, 1), "a current does not fit the membrane");
  }
  const Operand& left = call.operand[kLeft];
  NETWRIGHT_REFUSE_IF((left.data != nullptr) != (call.parameter[kRefractorySteps] > 0), "a refractory count without a time, or the other way");
  if (left.data) {
    NETWRIGHT_TRY(check::view(left, Format::int32, 2));
    NETWRIGHT_REFUSE_IF(!check::same_shape(left, membrane) || (left.shape[0] > 1 && left.stride[0] != 4 * left.shape[1]) ||
                            !check::contiguous(left, 1), "the refractory count does not fit the membrane");
  }
  std::int64_t steps = -1;
  NETWRIGHT_TRY(sequence(call.operand[kDense], membrane, steps));
  for (int k = 0; k < kReceptors; ++k) {
    NETWRIGHT_REFUSE_IF(k >= std::max<std::int64_t>(receptors, 1) && call.operand[kInput + k].data, "an input that no receptor has");
    NETWRIGHT_TRY(sequence(call.operand[kInput + k], membrane, steps));
  }
  for (const int place : {kRing, kRecord}) {
    if (!call.operand[place].data) continue;
    NETWRIGHT_REFUSE_IF(membrane.shape[0] != 1, "bits of spikes are kept of a batch of 1 only");
    NETWRIGHT_TRY(rows_of_bits(call.operand[place], neurons));
  }
  if (const Operand& each = call.operand[kEach]; each.data) {
    NETWRIGHT_TRY(check::view(each, Format::fp32, 2));
    NETWRIGHT_REFUSE_IF(each.shape[0] != kEachReceptors + 2 * receptors || each.shape[1] != neurons || !check::contiguous(each, 1) ||
                            each.stride[0] < 4 * neurons || each.stride[0] % 4, "coefficients of each do not fit the neurons");
  }
  if (!call.operand[kClock].data) return nullptr;
  NETWRIGHT_TRY(check::view(call.operand[kClock], Format::int64, 1));
  return call.operand[kClock].shape[0] == 1 ? nullptr : "the clock is not one number";
}

}  // namespace netwright
