#include "events/fair.hpp"

#include <algorithm>
#include <limits>

namespace netwright::events {

FairShare::FairShare(const Transfers& transfers)
    : transfers_(transfers), left_(transfers.capacity.size()), users_(transfers.capacity.size(), 0) {}

void FairShare::count_users(const std::vector<std::int32_t>& flow) {
  for (const std::int32_t c : in_use_) users_[c] = 0;
  in_use_.clear();
  for (const std::int32_t t : flow) {
    for (std::int64_t i = transfers_.channel_start[t]; i < transfers_.channel_start[t + 1]; ++i) {
      const std::int32_t c = transfers_.channel[i];
      if (users_[c]++ == 0) {
        in_use_.push_back(c);
        left_[c] = transfers_.capacity[c];
      }
    }
  }
}

// The rate that the next flows to be fixed get: the least fair share or the least own limit.
double FairShare::level(const std::vector<std::int32_t>& flow, const std::vector<char>& fixed) const {
  double lowest = std::numeric_limits<double>::infinity();
  for (const std::int32_t c : in_use_) {
    if (users_[c] > 0) lowest = std::min(lowest, std::max(left_[c], 0.0) / users_[c]);
  }
  for (std::size_t i = 0; i < flow.size(); ++i) {
    if (!fixed[i]) lowest = std::min(lowest, transfers_.limit[flow[i]]);
  }
  return lowest;
}

void FairShare::rates(const std::vector<std::int32_t>& flow, std::vector<double>& rate) {
  constexpr double kSlack = 1 + 1e-12;  // equal shares that rounding made unequal
  count_users(flow);
  rate.assign(flow.size(), 0.0);
  fixed_.assign(flow.size(), 0);
  for (std::size_t left = flow.size(); left > 0;) {
    const double lowest = level(flow, fixed_);
    std::vector<std::size_t> now;
    for (std::size_t i = 0; i < flow.size(); ++i) {
      if (fixed_[i]) continue;
      bool tight = transfers_.limit[flow[i]] <= lowest * kSlack;
      for (std::int64_t k = transfers_.channel_start[flow[i]]; k < transfers_.channel_start[flow[i] + 1]; ++k) {
        const std::int32_t c = transfers_.channel[k];
        tight = tight || std::max(left_[c], 0.0) / users_[c] <= lowest * kSlack;
      }
      if (tight) now.push_back(i);
    }
    for (const std::size_t i : now) {
      fixed_[i] = 1;
      rate[i] = lowest;
      for (std::int64_t k = transfers_.channel_start[flow[i]]; k < transfers_.channel_start[flow[i] + 1]; ++k) {
        left_[transfers_.channel[k]] -= lowest;
        --users_[transfers_.channel[k]];
      }
    }
    left -= now.size();
  }
}

}  // namespace netwright::events
