// The loops of train_lif.hpp on eight lanes; included by one file for each instruction set.
// Time runs outside a block of lanes whose state stays in the second cache, so that every array is read in order.
#pragma once

#include <algorithm>

#include "spikes/surrogate_table.hpp"
#include "spikes/train_lif.hpp"

namespace netwright::NETWRIGHT_ISA {

using namespace netwright::train;

inline constexpr std::int64_t kBlockLanes = 16384;

struct Loader {
  int count;  // lanes in use
  NETWRIGHT_INLINE Vec operator()(const float* from) const { return count == kLanes ? load(from) : load_part(from, count); }
  NETWRIGHT_INLINE Vec or_zero(const float* from, std::int64_t at) const { return from ? (*this)(from + at) : Vec{}; }
  NETWRIGHT_INLINE void operator()(float* to, Vec value) const {
    if (count == kLanes) store(to, value);
    else store_part(to, value, count);
  }
};

// each(lane, row, neuron, loader) for lanes [begin, end), eight at a time within a row of neurons.
template <class Each>
NETWRIGHT_INLINE void each_vector(Lanes lanes, std::int64_t neurons, Each&& each) {
  for (std::int64_t lane = lanes.begin; lane < lanes.end;) {
    const std::int64_t row = lane / neurons;
    std::int64_t neuron = lane % neurons;
    const std::int64_t row_end = std::min(lanes.end, lane + neurons - neuron);
    for (; lane + kLanes <= row_end; lane += kLanes, neuron += kLanes) each(lane, row, neuron, Loader{kLanes});
    if (lane < row_end) each(lane, row, neuron, Loader{int(row_end - lane)});
    lane = row_end;
  }
}

NETWRIGHT_INLINE IntVec fires(const LifNeurons& neurons, Vec u, Vec threshold) {
  return neurons.fires_at_threshold ? u >= threshold : u > threshold;
}
NETWRIGHT_INLINE Vec one_where(IntVec mask) { return as_float(mask & as_bits(splat(1.0f))); }

// What is carried to the next step, given the membrane before reset.
template <Reset RESET>
NETWRIGHT_INLINE Vec carried(Vec u, Vec spike, Vec threshold, Vec reset_value) {
  if constexpr (RESET == Reset::subtract) return u - spike * threshold;
  if constexpr (RESET == Reset::value) return select(spike > 0.0f, reset_value, u);
  return u;
}

// What decays into the next step, given the membrane before reset.
template <Reset RESET>
NETWRIGHT_INLINE Vec left(Vec u, Vec spike, Vec threshold, Vec reset_value) {
  return carried<RESET == Reset::value_next ? Reset::value : RESET>(u, spike, threshold, reset_value);
}

// What decays into a step, given what was carried to it.
template <Reset RESET>
NETWRIGHT_INLINE Vec entering(const LifNeurons& neurons, Vec before, Vec threshold, Vec reset_value) {
  if constexpr (RESET == Reset::value_next) return select(fires(neurons, before, threshold), reset_value, before);
  return before;
}

template <Reset RESET>
void forward(const LifShape& shape, const LifNeurons& neurons, const LifForward& call, Lanes lanes) {
  each_vector(lanes, shape.neurons, [&](std::int64_t lane, std::int64_t, std::int64_t, Loader at) NETWRIGHT_ALWAYS {
    at(call.v_last + lane, at.or_zero(call.v_first, lane));
  });
  for (std::int64_t t = 0; t < shape.steps; ++t) {
    const std::int64_t sequence = t * shape.batch * shape.neurons;
    each_vector(lanes, shape.neurons, [&](std::int64_t lane, std::int64_t row, std::int64_t neuron, Loader at) NETWRIGHT_ALWAYS {
      const Vec threshold = at(neurons.threshold + neuron), before = at(call.v_last + lane);
      const Vec reset_value = at(neurons.reset_value + neuron);
      Vec u = at(neurons.decay + neuron) * entering<RESET>(neurons, before, threshold, reset_value);
      if constexpr (RESET == Reset::subtract_next) u = u - one_where(fires(neurons, before, threshold)) * threshold;
      u = (u + at(neurons.gain + neuron) * at(call.x.at(t, row, neuron))) + at(neurons.drive + neuron);
      const Vec spike = one_where(fires(neurons, u, threshold));
      at(call.spikes + sequence + lane, spike);
      if (call.u) at(call.u + sequence + lane, u);
      at(call.v_last + lane, carried<RESET>(u, spike, threshold, reset_value));
    });
  }
}

// The step before the first: from the membrane of step 0 to what was carried in.
template <Reset RESET, bool PARAMETERS, class Slope>
void before_first(const LifShape& shape, const LifNeurons& neurons, const LifBackward& call, Lanes lanes, Slope&& slope) {
  const Vec sharpness = splat(call.sharpness), through = splat(call.detach_reset ? 0.0f : 1.0f);
  each_vector(lanes, shape.neurons, [&](std::int64_t lane, std::int64_t, std::int64_t neuron, Loader at) NETWRIGHT_ALWAYS {
    const Vec after = at(call.d_v_first + lane), first = at.or_zero(call.v_first, lane);
    const Vec threshold = at(neurons.threshold + neuron), reset_value = at(neurons.reset_value + neuron);
    const Vec spike = one_where(fires(neurons, first, threshold));
    Vec d_first = at(neurons.decay + neuron) * after, d_threshold = Vec{}, by_spike = Vec{};
    if constexpr (RESET == Reset::subtract_next) {
      by_spike = -(through * (threshold * after)) * slope(first - threshold, sharpness);
      d_threshold = -(spike * after);
    } else if constexpr (RESET == Reset::value_next) {
      by_spike = through * ((reset_value - first) * d_first) * slope(first - threshold, sharpness);
      d_first = (1.0f - spike) * d_first;
    }
    at(call.d_v_first + lane, call.through_time ? d_first + by_spike : Vec{});
    if constexpr (PARAMETERS) {
      at(call.d_decay + lane, at(call.d_decay + lane) + after * entering<RESET>(neurons, first, threshold, reset_value));
      at(call.d_threshold + lane, at(call.d_threshold + lane) + (d_threshold - by_spike));
    }
  });
}

// The slope of the loss by a spike, through the reset that the step after makes of it.
template <Reset RESET>
NETWRIGHT_INLINE Vec delayed(const LifNeurons& neurons, Vec u, Vec after, std::int64_t neuron, Loader at) {
  if constexpr (RESET == Reset::subtract_next) return -(at(neurons.threshold + neuron) * after);
  if constexpr (RESET == Reset::value_next) return (at(neurons.reset_value + neuron) - u) * (at(neurons.decay + neuron) * after);
  return Vec{};
}

// d_v_first holds the slope of the loss by the membrane before reset of the step after, until the end.
template <Reset RESET, bool PARAMETERS, class Slope>
void backward(const LifShape& shape, const LifNeurons& neurons, const LifBackward& call, Lanes lanes, Slope&& slope) {
  const Vec sharpness = splat(call.sharpness), through = splat(call.detach_reset ? 0.0f : 1.0f);
  each_vector(lanes, shape.neurons, [&](std::int64_t lane, std::int64_t, std::int64_t, Loader at) NETWRIGHT_ALWAYS {
    at(call.d_v_first + lane, Vec{});
    if constexpr (PARAMETERS) at(call.d_decay + lane, Vec{}), at(call.d_threshold + lane, Vec{});
  });
  for (std::int64_t t = shape.steps - 1; t >= 0; --t) {
    const std::int64_t sequence = t * shape.batch * shape.neurons;
    const float* d_last = t == shape.steps - 1 ? call.d_v_last : nullptr;
    each_vector(lanes, shape.neurons, [&](std::int64_t lane, std::int64_t row, std::int64_t neuron, Loader at) NETWRIGHT_ALWAYS {
      const Vec u = at(call.u + sequence + lane), after = at(call.d_v_first + lane);
      const Vec threshold = at(neurons.threshold + neuron), reset_value = at(neurons.reset_value + neuron);
      const Vec felt = call.through_time ? after : Vec{};  // what flows back from the step after
      Vec d_carried = at(neurons.decay + neuron) * felt;
      const Vec d_outside = at.or_zero(d_last, lane);
      if constexpr (RESET != Reset::value_next) d_carried = d_carried + d_outside;
      const Vec spike = one_where(fires(neurons, u, threshold));
      Vec d_spike = at(call.d_spikes.at(t, row, neuron)), du = d_carried, d_threshold = Vec{};
      if constexpr (RESET == Reset::subtract) {
        d_spike = d_spike - through * (threshold * d_carried);
        d_threshold = -(spike * d_carried);
      } else if constexpr (RESET == Reset::subtract_next) {
        d_spike = d_spike - through * (threshold * felt);
        d_threshold = -(spike * after);
      } else if constexpr (RESET == Reset::value || RESET == Reset::value_next) {
        d_spike = d_spike + through * ((reset_value - u) * d_carried);
        du = (1.0f - spike) * d_carried;
        if constexpr (RESET == Reset::value_next) du = du + d_outside;
      }
      const Vec by_spike = d_spike * slope(u - threshold, sharpness);
      du = du + by_spike;
      at(call.d_x + sequence + lane, at(neurons.gain + neuron) * du);
      at(call.d_v_first + lane, du);
      if constexpr (PARAMETERS) {
        // A delayed reset is part of the step after: its threshold learns though the membrane does not.
        Vec by_threshold = by_spike;
        if (!call.through_time)
          by_threshold = by_threshold + through * delayed<RESET>(neurons, u, after, neuron, at) * slope(u - threshold, sharpness);
        at(call.d_threshold + lane, at(call.d_threshold + lane) + (d_threshold - by_threshold));
        at(call.d_decay + lane, at(call.d_decay + lane) + after * left<RESET>(u, spike, threshold, reset_value));
      }
    });
  }
  before_first<RESET, PARAMETERS>(shape, neurons, call, lanes, slope);
}

template <class Run>
void in_blocks(Lanes lanes, Run&& run) {
  for (std::int64_t at = lanes.begin; at < lanes.end; at += kBlockLanes) run(Lanes{at, std::min(at + kBlockLanes, lanes.end)});
}

template <class Run>
void with_reset(Reset reset, Run&& run) {
  switch (reset) {
    case Reset::none: return run.template operator()<Reset::none>();
    case Reset::subtract: return run.template operator()<Reset::subtract>();
    case Reset::subtract_next: return run.template operator()<Reset::subtract_next>();
    case Reset::value: return run.template operator()<Reset::value>();
    case Reset::value_next: return run.template operator()<Reset::value_next>();
  }
}

inline void forward_any(const LifShape& shape, const LifNeurons& neurons, const LifForward& call, Lanes lanes) {
  with_reset(neurons.reset, [&]<Reset RESET>() {
    in_blocks(lanes, [&](Lanes block) { forward<RESET>(shape, neurons, call, block); });
  });
}

inline void backward_any(const LifShape& shape, const LifNeurons& neurons, const LifBackward& call, Lanes lanes) {
  with_surrogate(call.surrogate, [&](auto slope) {
    with_reset(neurons.reset, [&]<Reset RESET>() {
      in_blocks(lanes, [&](Lanes block) {
        if (call.d_decay) backward<RESET, true>(shape, neurons, call, block, slope);
        else backward<RESET, false>(shape, neurons, call, block, slope);
      });
    });
  });
}

}  // namespace netwright::NETWRIGHT_ISA
