// Printed by netwright.learn.surrogate_text from learn/surrogate.py: do not edit.
#pragma once

#include "spikes/surrogate.hpp"

namespace netwright::NETWRIGHT_ISA {

// visit(slope) with slope(x, a) of this code; false when there is no such surrogate.
template <class Visit>
bool with_surrogate(int code, Visit&& visit) {
  switch (code) {
    case 0:  // atan
      visit([](Vec x, Vec a) NETWRIGHT_ALWAYS { return ((0.5f * a) / (1.0f + squared(((1.5707963267948966f * a) * x)))); });
      return true;
    case 1:  // sigmoid
      visit([](Vec x, Vec a) NETWRIGHT_ALWAYS { return ((a * plain_exp(((-a) * abs(x)))) / squared((1.0f + plain_exp(((-a) * abs(x)))))); });
      return true;
    case 2:  // fast_sigmoid
      visit([](Vec x, Vec a) NETWRIGHT_ALWAYS { return (1.0f / squared((1.0f + (a * abs(x))))); });
      return true;
    case 3:  // super_spike
      visit([](Vec x, Vec a) NETWRIGHT_ALWAYS { return (a / squared((1.0f + abs(x)))); });
      return true;
    case 4:  // triangle
      visit([](Vec x, Vec a) NETWRIGHT_ALWAYS { return select((abs((a * x)) < 1.0f), (a * (1.0f - abs((a * x)))), (0.0f * x)); });
      return true;
    case 5:  // box
      visit([](Vec x, Vec a) NETWRIGHT_ALWAYS { return select((abs((a * x)) < 0.5f), (a + (0.0f * x)), (0.0f * x)); });
      return true;
    case 6:  // single_exponential
      visit([](Vec x, Vec a) NETWRIGHT_ALWAYS { return (a * plain_exp(((-a) * abs(x)))); });
      return true;
    default: return false;
  }
}

}  // namespace netwright::NETWRIGHT_ISA
