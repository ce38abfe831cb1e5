// Max-min fair rates by progressive filling (Bertsekas and Gallager, "Data Networks", 6.5.2).
#pragma once

#include <cstdint>
#include <vector>

#include "events/events.hpp"

namespace netwright::events {

class FairShare {
 public:
  explicit FairShare(const Transfers& transfers);

  // rate[i] of the task flow[i]. Flows may be idle on no channel: they get their limit.
  void rates(const std::vector<std::int32_t>& flow, std::vector<double>& rate);

 private:
  double level(const std::vector<std::int32_t>& flow, const std::vector<char>& fixed) const;
  void count_users(const std::vector<std::int32_t>& flow);

  const Transfers& transfers_;
  std::vector<double> left_;          // of each channel
  std::vector<std::int32_t> users_;   // of each channel: flows without a rate yet
  std::vector<std::int32_t> in_use_;  // channels with any flow
  std::vector<char> fixed_;
};

}  // namespace netwright::events
