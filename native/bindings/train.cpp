// Fused training operators of spiking layers, on arrays of numpy or torch without copies.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <optional>
#include <stdexcept>
#include <tuple>

#include "spikes/blocks.hpp"
#include "spikes/train_lif.hpp"

namespace nb = nanobind;

namespace netwright::bindings {
namespace {

template <int RANK>
using In = nb::ndarray<const float, nb::ndim<RANK>, nb::c_contig, nb::device::cpu>;
template <int RANK>
using Out = nb::ndarray<float, nb::ndim<RANK>, nb::c_contig, nb::device::cpu>;

using Strided = nb::ndarray<const float, nb::ndim<3>, nb::device::cpu>;

void need(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

template <class Array>
auto* data_of(const std::optional<Array>& array) {
  return array ? array->data() : nullptr;
}

template <class Array>
void need_sequence(const Array& array, const train::LifShape& shape, const char* what) {
  need(std::int64_t(array.shape(0)) == shape.steps && std::int64_t(array.shape(1)) == shape.batch &&
           std::int64_t(array.shape(2)) == shape.neurons, what);
}

template <class Array>
void need_rows(const std::optional<Array>& array, const train::LifShape& shape, const char* what) {
  need(!array || (std::int64_t(array->shape(0)) == shape.batch && std::int64_t(array->shape(1)) == shape.neurons), what);
}

train::Sequence sequence_of(const Strided& array) {
  need(array.stride(2) == 1 || array.shape(2) == 1, "a sequence's neurons must be neighbours in memory");
  return {array.data(), array.stride(0), array.stride(1)};
}

train::LifNeurons neurons_of(const train::LifShape& shape, const In<2>& each, int reset, bool fires_at_threshold) {
  need(each.shape(0) == 5 && std::int64_t(each.shape(1)) == shape.neurons,
       "neurons: decay, gain, drive, threshold, reset_value as [5, neurons]");
  need(0 <= reset && reset <= int(train::Reset::value_next), "reset: 0 to 4");
  const auto row = [&](int index) { return each.data() + index * shape.neurons; };
  return {row(0), row(1), row(2), row(3), row(4), static_cast<train::Reset>(reset), fires_at_threshold};
}

void forward(const In<2>& neurons, int reset, bool fires_at_threshold, const Strided& x, const std::optional<In<2>>& v_first,
             Out<3> spikes, const std::optional<Out<3>>& u, Out<2> v_last, int threads, bool avx2) {
  const train::LifShape shape{std::int64_t(x.shape(0)), std::int64_t(x.shape(1)), std::int64_t(x.shape(2))};
  need_sequence(spikes, shape, "spikes: the shape of x");
  if (u) need_sequence(*u, shape, "u: the shape of x");
  need_rows(v_first, shape, "v_first: [batch, neurons]");
  need_rows(std::optional(v_last), shape, "v_last: [batch, neurons]");
  const auto each = neurons_of(shape, neurons, reset, fires_at_threshold);
  const train::LifForward call{sequence_of(x), data_of(v_first), spikes.data(), data_of(u), v_last.data()};
  nb::gil_scoped_release release;
  train::lif_forward(shape, each, call, threads, avx2);
}

void backward(const In<2>& neurons, int reset, bool fires_at_threshold, const In<3>& u, const std::optional<In<2>>& v_first,
              const Strided& d_spikes, const std::optional<In<2>>& d_v_last, Out<3> d_x, Out<2> d_v_first,
              const std::optional<Out<2>>& d_decay, const std::optional<Out<2>>& d_threshold, int surrogate, float sharpness,
              bool detach_reset, bool through_time, int threads, bool avx2) {
  const train::LifShape shape{std::int64_t(u.shape(0)), std::int64_t(u.shape(1)), std::int64_t(u.shape(2))};
  need_sequence(d_spikes, shape, "d_spikes: the shape of u");
  need_sequence(d_x, shape, "d_x: the shape of u");
  need_rows(v_first, shape, "v_first: [batch, neurons]");
  need_rows(d_v_last, shape, "d_v_last: [batch, neurons]");
  need_rows(std::optional(d_v_first), shape, "d_v_first: [batch, neurons]");
  need_rows(d_decay, shape, "d_decay: [batch, neurons]");
  need_rows(d_threshold, shape, "d_threshold: [batch, neurons]");
  need(d_decay.has_value() == d_threshold.has_value(), "d_decay and d_threshold: both or none");
  need(0 <= surrogate && surrogate < train::kNumSurrogates, "surrogate: no such code");
  const auto each = neurons_of(shape, neurons, reset, fires_at_threshold);
  const train::LifBackward call{u.data(),           data_of(v_first), sequence_of(d_spikes), data_of(d_v_last),
                                d_x.data(),         d_v_first.data(), data_of(d_decay),     data_of(d_threshold),
                                surrogate,          sharpness,        detach_reset,         through_time};
  nb::gil_scoped_release release;
  train::lif_backward(shape, each, call, threads, avx2);
}

nb::ndarray<nb::numpy, float, nb::ndim<3>> sequence(std::int64_t steps, std::int64_t batch, std::int64_t neurons) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  need(steps >= 0 && batch >= 0 && neurons >= 0 && (steps == 0 || batch == 0 || neurons <= kMost / steps / batch), "a sequence has 2^40 numbers at most");
  std::byte* data = train::blocks().take(4 * steps * batch * neurons);
  nb::capsule owner(data, [](void* kept) noexcept { train::blocks().give_back(static_cast<std::byte*>(kept)); });
  return {data, {std::size_t(steps), std::size_t(batch), std::size_t(neurons)}, owner};
}

}  // namespace

void add_train(nb::module_& module) {
  using namespace nb::literals;
  module.def("train_lif_forward", &forward, "neurons"_a, "reset"_a, "fires_at_threshold"_a, "x"_a, "v_first"_a.none(),
             "spikes"_a, "u"_a.none(), "v_last"_a, "threads"_a, "avx2"_a,
             "Many steps of leaky integrate-and-fire neurons; see native/spikes/train_lif.hpp.");
  module.def("train_lif_backward", &backward, "neurons"_a, "reset"_a, "fires_at_threshold"_a, "u"_a, "v_first"_a.none(),
             "d_spikes"_a, "d_v_last"_a.none(), "d_x"_a, "d_v_first"_a, "d_decay"_a.none(), "d_threshold"_a.none(),
             "surrogate"_a, "sharpness"_a, "detach_reset"_a, "through_time"_a, "threads"_a, "avx2"_a,
             "Its gradients, back through time, with a surrogate for the slope of a spike.");
  module.def("train_sequence", &sequence, "steps"_a, "batch"_a, "neurons"_a,
             "An array that is filled with nothing known, from memory that is kept when the array goes and used for the\n"
             "next one of its size (native/spikes/blocks.hpp). ValueError: more than 2^40 numbers.");
  module.def("train_memory", [] {
    const auto bytes = train::blocks().bytes();
    return std::tuple(bytes.kept, bytes.out, bytes.most_out);
  }, "Bytes kept for the next array of train_sequence, those of arrays in use, and the most in use at once.");
}

}  // namespace netwright::bindings
