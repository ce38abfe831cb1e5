#include "kernels/spike_plastic.hpp"

#include <vector>

#include "kernels/spike_check.hpp"

namespace netwright {
namespace {

using namespace spike;

constexpr std::int64_t kMost = std::int64_t{1} << 30;  // neurons or synapses: 32 bits number them

// [1, B, n] of spikes, samples evenly spaced.
const char* spikes_fit(const Operand& spikes, std::int64_t batch) {
  NETWRIGHT_TRY(check::view(spikes, Format::fp32, 3));
  NETWRIGHT_REFUSE_IF(spikes.shape[0] != 1 || spikes.shape[1] != batch, "spikes are not those of one step of every sample");
  NETWRIGHT_REFUSE_IF(spikes.shape[2] < 1 || spikes.shape[2] > kMost, "no neurons, or too many");
  return check::contiguous(spikes, 2) ? nullptr : "spikes are not contiguous";
}

const char* matrix_fits(const Operand& matrix, std::int64_t rows, std::int64_t columns) {
  NETWRIGHT_TRY(check::view(matrix, Format::fp32, 2));
  NETWRIGHT_REFUSE_IF(matrix.shape[0] != rows || matrix.shape[1] != columns, "a matrix has the wrong shape");
  return check::contiguous(matrix, 1) ? nullptr : "a row is not contiguous";
}

// Written rows must not lie over each other: others write them.
const char* apart(const Operand& matrix, int dim) {
  return matrix.shape[dim] > 1 && matrix.stride[dim] < 4 * matrix.shape[dim + 1] ? "samples lie over each other" : nullptr;
}

const char* indices_fit(const Operand& operand, std::int64_t count) {
  NETWRIGHT_TRY(check::view(operand, Format::int32, 1));
  return operand.shape[0] == count && check::contiguous(operand, 0) ? nullptr : "not one index for each synapse";
}

const char* ends_fit(const Operand& operand, std::int64_t count) {
  NETWRIGHT_TRY(check::view(operand, Format::fp32, 1));
  return operand.shape[0] == count && check::contiguous(operand, 0) ? nullptr : "not one end for each synapse";
}

const char* starts_fit(const Operand& starts, std::int64_t sources) {
  NETWRIGHT_TRY(check::view(starts, Format::int32, 2));
  NETWRIGHT_REFUSE_IF(starts.shape[0] < 1 || starts.shape[0] > kMost || starts.shape[1] != sources + 1 || !check::contiguous(starts, 1),
                      "rows of synapses do not fit the sources");
  return nullptr;
}

// The block of targets that reads or writes each synapse: no other may.
class Owners {
 public:
  explicit Owners(std::int64_t synapses) : owner_(static_cast<std::size_t>(synapses), kNobody) {}

  const char* take(std::int64_t synapse, std::int64_t block) {
    NETWRIGHT_REFUSE_IF(synapse < 0 || synapse >= std::int64_t(owner_.size()), "a synapse that is not there");
    auto& owner = owner_[static_cast<std::size_t>(synapse)];
    NETWRIGHT_REFUSE_IF(owner != kNobody && owner != block, "two blocks have one synapse");
    owner = static_cast<std::int32_t>(block);
    return nullptr;
  }

 private:
  static constexpr std::int32_t kNobody = -1;
  std::vector<std::int32_t> owner_;
};

const char* rows_fit(const Call& call, int place, std::int64_t targets, Owners& owners) {
  const Operand &starts = call.operand[place], &synapses = call.operand[place + 1], &ends = call.operand[place + 2];
  const auto target = reinterpret_cast<const std::int32_t*>(ends.data), numbered = reinterpret_cast<const std::int32_t*>(synapses.data);
  for (std::int64_t block = 0; block < starts.shape[0]; ++block) {
    const auto start = reinterpret_cast<const std::int32_t*>(starts.data + block * starts.stride[0]);
    const std::int64_t rows = starts.shape[1] - 1;
    for (std::int64_t s = 0; s <= rows; ++s)
      NETWRIGHT_REFUSE_IF(start[s] < (s ? start[s - 1] : 0) || start[s] > ends.shape[0], "rows of synapses are out of order");
    const Piece owned = block_of(targets, block, starts.shape[0]);
    for (std::int64_t k = start[0]; k < start[rows]; ++k) {
      NETWRIGHT_REFUSE_IF(target[k] < owned.begin || target[k] >= owned.end, "a target outside its block of neurons");
      NETWRIGHT_TRY(owners.take(numbered ? numbered[k] : k, block));
    }
  }
  return nullptr;
}

}  // namespace

const char* check::plastic_connect(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, kPlasticOperands, kPlasticOperands, 1));
  const Operand &sum = call.operand[kPlasticSum], &weight = call.operand[kPlasticWeight];
  NETWRIGHT_TRY(check::view(weight, Format::fp32, 2));
  const std::int64_t batch = weight.shape[0], synapses = weight.shape[1];
  NETWRIGHT_REFUSE_IF(synapses > kMost || !check::contiguous(weight, 1), "too many synapses, or their weights are not contiguous");
  NETWRIGHT_TRY(spikes_fit(sum, batch));
  NETWRIGHT_TRY(apart(sum, 1));
  NETWRIGHT_TRY(spikes_fit(call.operand[kPlasticSpikes], batch));
  NETWRIGHT_TRY(starts_fit(call.operand[kPlasticStarts], call.operand[kPlasticSpikes].shape[2]));
  if (check::present(call, kPlasticSynapses)) NETWRIGHT_TRY(indices_fit(call.operand[kPlasticSynapses], synapses));
  return indices_fit(call.operand[kPlasticTargets], synapses);
}

const char* check::plastic_rows(const Call& call) {
  Owners owners(call.operand[kPlasticWeight].shape[1]);
  return rows_fit(call, kPlasticStarts, call.operand[kPlasticSum].shape[2], owners);
}

const char* check::stdp(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, kStdpOperands, kStdpOperands, 3));
  const Operand& weight = call.operand[kStdpWeight];
  NETWRIGHT_TRY(check::view(weight, Format::fp32, 2));
  const std::int64_t batch = weight.shape[0], synapses = weight.shape[1];
  NETWRIGHT_REFUSE_IF(synapses > kMost || !check::contiguous(weight, 1), "too many synapses, or their weights are not contiguous");
  NETWRIGHT_TRY(apart(weight, 0));
  NETWRIGHT_TRY(ends_fit(call.operand[kStdpRowEnds], synapses));
  NETWRIGHT_TRY(ends_fit(call.operand[kStdpColumnEnds], synapses));
  NETWRIGHT_TRY(spikes_fit(call.operand[kStdpPre], batch));
  NETWRIGHT_TRY(spikes_fit(call.operand[kStdpPost], batch));
  const std::int64_t sources = call.operand[kStdpPre].shape[2], targets = call.operand[kStdpPost].shape[2];
  NETWRIGHT_TRY(matrix_fits(call.operand[kStdpTracePre], batch, sources));
  NETWRIGHT_TRY(matrix_fits(call.operand[kStdpTracePost], batch, targets));
  NETWRIGHT_TRY(matrix_fits(call.operand[kStdpFall], batch, 1));
  NETWRIGHT_TRY(starts_fit(call.operand[kStdpRows], sources));
  if (check::present(call, kStdpRowSynapses)) NETWRIGHT_TRY(indices_fit(call.operand[kStdpRowSynapses], synapses));
  NETWRIGHT_TRY(indices_fit(call.operand[kStdpRowTargets], synapses));
  NETWRIGHT_TRY(indices_fit(call.operand[kStdpColumns], targets + 1));
  NETWRIGHT_TRY(indices_fit(call.operand[kStdpColumnSynapses], synapses));
  return indices_fit(call.operand[kStdpColumnSources], synapses);
}

const char* check::stdp_rows(const Call& call) {
  const std::int64_t synapses = call.operand[kStdpWeight].shape[1], targets = call.operand[kStdpPost].shape[2];
  Owners owners(synapses);
  NETWRIGHT_TRY(rows_fit(call, kStdpRows, targets, owners));
  const auto start = reinterpret_cast<const std::int32_t*>(call.operand[kStdpColumns].data);
  const auto synapse = reinterpret_cast<const std::int32_t*>(call.operand[kStdpColumnSynapses].data);
  const auto source = reinterpret_cast<const std::int32_t*>(call.operand[kStdpColumnSources].data);
  const std::int64_t blocks = call.operand[kStdpRows].shape[0];
  for (std::int64_t block = 0; block < blocks; ++block) {
    const Piece owned = block_of(targets, block, blocks);
    for (std::int64_t j = owned.begin; j < owned.end; ++j) {
      NETWRIGHT_REFUSE_IF(start[j] < 0 || start[j + 1] < start[j] || start[j + 1] > synapses, "columns of synapses are out of order");
      for (std::int64_t k = start[j]; k < start[j + 1]; ++k) {
        NETWRIGHT_REFUSE_IF(source[k] < 0 || source[k] >= call.operand[kStdpPre].shape[2], "a source that is not there");
        NETWRIGHT_TRY(owners.take(synapse[k], block));
      }
    }
  }
  return nullptr;
}

// x [B, n] ; spikes [1, B, n] | decay, jump
const char* check::spike_trace(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, 2, 2, 2));
  const Operand &x = call.operand[0], &spikes = call.operand[1];
  NETWRIGHT_TRY(check::view(x, Format::fp32, 2));
  NETWRIGHT_TRY(spikes_fit(spikes, x.shape[0]));
  NETWRIGHT_TRY(matrix_fits(x, x.shape[0], spikes.shape[2]));
  const bool packed = x.shape[0] < 2 || (x.stride[0] == 4 * x.shape[1] && spikes.stride[1] == 4 * x.shape[1]);
  return packed ? nullptr : "samples are not next to each other";
}

// a [B, 1] ; network [1, B, m], inputs [1, B, k] | gain, tau in steps, rest
const char* check::astrocyte(const Call& call) {
  NETWRIGHT_TRY(check::counts(call, 3, 3, 3));
  const Operand& a = call.operand[0];
  NETWRIGHT_TRY(check::view(a, Format::fp32, 2));
  NETWRIGHT_TRY(matrix_fits(a, a.shape[0], 1));
  NETWRIGHT_TRY(apart(a, 0));
  NETWRIGHT_TRY(spikes_fit(call.operand[1], a.shape[0]));
  return spikes_fit(call.operand[2], a.shape[0]);
}

std::int64_t workspace::plastic_connect(const Call& call) { return 8 * (call.operand[kPlasticSpikes].shape[2] + 16); }
std::int64_t workspace::stdp(const Call& call) {
  const std::int64_t sources = call.operand[kStdpPre].shape[2], targets = call.operand[kStdpPost].shape[2];
  return 4 * (2 * std::max(sources, targets) + sources + targets + 64);
}

}  // namespace netwright
