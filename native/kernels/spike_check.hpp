// What the checks of the spiking opcodes share.
#pragma once

#include "kernels/float_check.hpp"
#include "kernels/spike_shape.hpp"

namespace netwright::check {

inline const char* clock(const Operand& operand) {
  NETWRIGHT_TRY(view(operand, Format::int64, 1));
  return operand.shape[0] == 1 ? nullptr : "the clock is not one number";
}

// Any rank, all of it contiguous; -> its elements are the last dim.
inline const char* sum_of(const Operand& operand) {
  NETWRIGHT_TRY(view(operand, Format::fp32, -1));
  NETWRIGHT_REFUSE_IF(operand.rank < 1, "the sum has no neurons");
  for (int d = 0; d + 1 < operand.rank; ++d) NETWRIGHT_REFUSE_IF(operand.shape[d] != 1, "the sum has more than one row");
  return contiguous(operand, operand.rank - 1) ? nullptr : "the sum is not contiguous";
}

// Bits of all neurons up to `first + count`, `delay` steps ago.
inline const char* past_spikes(const Operand& ring, std::int64_t delay, std::int64_t first, std::int64_t count) {
  NETWRIGHT_TRY(view(ring, Format::uint8, 2));
  NETWRIGHT_REFUSE_IF(ring.shape[0] < 1 || ring.shape[1] % 8 || !contiguous(ring, 1), "rows of spikes are not whole words");
  NETWRIGHT_REFUSE_IF(delay < 1 || delay > ring.shape[0], "the delay is longer than the spikes are kept");
  NETWRIGHT_REFUSE_IF(first < 0 || count < 0 || first > 8 * ring.shape[1] || count > 8 * ring.shape[1] - first, "sources that are not there");
  return nullptr;
}

}  // namespace netwright::check
