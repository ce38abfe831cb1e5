#include "spikes/train_lif.hpp"

#include <thread>
#include <vector>

#include "spikes/train_lif_steps.hpp"

namespace netwright::train {

void lif_forward_scalar(const LifShape& shape, const LifNeurons& neurons, const LifForward& call, Lanes lanes) {
  NETWRIGHT_ISA::forward_any(shape, neurons, call, lanes);
}

void lif_backward_scalar(const LifShape& shape, const LifNeurons& neurons, const LifBackward& call, Lanes lanes) {
  NETWRIGHT_ISA::backward_any(shape, neurons, call, lanes);
}

namespace {

constexpr std::int64_t kLeastLanes = 1024;  // below this a thread costs more than it saves

template <class Run>
void on_threads(std::int64_t lanes, int threads, Run&& run) {
  const std::int64_t parts = std::max<std::int64_t>(1, std::min<std::int64_t>(threads, lanes / kLeastLanes));
  const std::int64_t share = (lanes / parts + 7) / 8 * 8;
  std::vector<std::jthread> helpers;
  for (std::int64_t part = 1; part < parts; ++part) {
    const Lanes mine{std::min(part * share, lanes), part + 1 == parts ? lanes : std::min((part + 1) * share, lanes)};
    helpers.emplace_back([&run, mine] { run(mine); });
  }
  run(Lanes{0, parts == 1 ? lanes : std::min(share, lanes)});
}

}  // namespace

void lif_forward(const LifShape& shape, const LifNeurons& neurons, const LifForward& call, int threads, [[maybe_unused]] bool avx2) {
  on_threads(shape.batch * shape.neurons, threads, [&](Lanes lanes) {
#if defined(__x86_64__)
    if (avx2) return lif_forward_avx2(shape, neurons, call, lanes);
#endif
    lif_forward_scalar(shape, neurons, call, lanes);
  });
}

void lif_backward(const LifShape& shape, const LifNeurons& neurons, const LifBackward& call, int threads, [[maybe_unused]] bool avx2) {
  on_threads(shape.batch * shape.neurons, threads, [&](Lanes lanes) {
#if defined(__x86_64__)
    if (avx2) return lif_backward_avx2(shape, neurons, call, lanes);
#endif
    lif_backward_scalar(shape, neurons, call, lanes);
  });
}

}  // namespace netwright::train
