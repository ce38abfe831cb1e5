// Along one axis: arg_reduce, cumulative_sum, top_k, lp_norm. Plain forms only: none of them is ever a network's cost.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/float_check.hpp"
#include "kernels/float_kernels.hpp"

namespace netwright {
namespace {

// The positions of every dim but `axis`, as byte offsets into operands of one shape.
struct Lines {
  const Operand& shape;
  int axis;

  std::int64_t count() const {
    std::int64_t lines = 1;
    for (int d = 0; d < shape.rank; ++d) lines *= d == axis ? 1 : shape.shape[d];
    return lines;
  }
  std::byte* at(const Operand& operand, std::int64_t line) const {
    std::byte* data = operand.data;
    for (int d = shape.rank - 1; d >= 0; --d)
      if (d != axis) data += line % shape.shape[d] * operand.stride[d], line /= shape.shape[d];
    return data;
  }
};

template <class Element>
Element& element(std::byte* data, std::int64_t offset) {
  return *reinterpret_cast<Element*>(data + offset);
}

// NaN counts as the largest, as numpy has it, so that the order is total.
template <class Element>
bool before(Element a, Element b, bool largest) {
  if constexpr (std::is_floating_point_v<Element>)
    if (a != a || b != b) return largest ? a != a && b == b : a == a && b != b;
  return largest ? a > b : a < b;
}

template <class Work>
void by_format(Format format, Work&& work) {
  if (format == Format::fp32) work(float{});
  else if (format == Format::int32) work(std::int32_t{});
  else work(std::int64_t{});
}

const char* number(const Operand& operand, std::int32_t rank) {
  NETWRIGHT_REFUSE_IF(operand.format != Format::fp32 && operand.format != Format::int32 && operand.format != Format::int64,
                      "the format is not fp32, int32 or int64");
  return check::view(operand, operand.format, rank);
}

const char* along_axis(const Call& call, int x_index) {
  const Operand& x = call.operand[x_index];
  NETWRIGHT_TRY(number(x, -1));
  return x.rank < 1 || !check::in_range(call, 0, 1, 0, x.rank - 1) ? "the axis is out of range" : nullptr;
}

}  // namespace

const char* check::arg_reduce(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 1));
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_TRY(view(out, Format::int64, 2));
  NETWRIGHT_TRY(number(x, 3));
  NETWRIGHT_REFUSE_IF(out.shape[0] != x.shape[0] || out.shape[1] != x.shape[2], "out is not [outer, inner]");
  NETWRIGHT_REFUSE_IF(x.shape[1] < 1, "nothing to choose from");
  return in_range(call, 0, 1, 2, 3) ? nullptr : "the function is not max (2) or min (3)";
}

void baseline::arg_reduce(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const Piece mine = piece(call, out.shape[0] * out.shape[1]);
  by_format(x.format, [&](auto zero) {
    using Element = decltype(zero);
    for (std::int64_t unit = mine.begin; unit < mine.end; ++unit) {
      const std::int64_t outer = unit / out.shape[1], inner = unit % out.shape[1];
      std::byte* data = x.data + outer * x.stride[0] + inner * x.stride[2];
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < x.shape[1]; ++i)
        if (before(element<Element>(data, i * x.stride[1]), element<Element>(data, best * x.stride[1]), call.parameter[0] == 2)) best = i;
      element<std::int64_t>(out.data, outer * out.stride[0] + inner * out.stride[1]) = best;
    }
  });
}

const char* check::cumulative_sum(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 3));
  NETWRIGHT_TRY(along_axis(call, 1));
  NETWRIGHT_TRY(view(call.operand[0], call.operand[1].format, -1));
  NETWRIGHT_REFUSE_IF(!in_range(call, 1, 2, 0, 1), "exclusive or reverse is not 0 or 1");
  return same_shape(call.operand[0], call.operand[1]) ? nullptr : "shapes differ";
}

void baseline::cumulative_sum(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const Lines lines{x, int(call.parameter[0])};
  const std::int64_t length = x.shape[lines.axis], step = x.stride[lines.axis], out_step = out.stride[lines.axis];
  const Piece mine = piece(call, lines.count());
  by_format(x.format, [&](auto zero) {
    using Element = decltype(zero);
    // A float's running sum is kept in double; whole numbers wrap.
    using Sum = std::conditional_t<std::is_floating_point_v<Element>, double, std::uint64_t>;
    for (std::int64_t line = mine.begin; line < mine.end; ++line) {
      std::byte *from = lines.at(x, line), *to = lines.at(out, line);
      Sum sum{};
      for (std::int64_t i = 0; i < length; ++i) {
        const std::int64_t at = call.parameter[2] ? length - 1 - i : i;
        const Element value = element<Element>(from, at * step);
        const Sum next = sum + Sum(value);
        element<Element>(to, at * out_step) = Element(call.parameter[1] ? sum : next);
        sum = next;
      }
    }
  });
}

const char* check::top_k(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 3, 2));
  NETWRIGHT_TRY(along_axis(call, 2));
  const Operand &values = call.operand[0], &places = call.operand[1], &x = call.operand[2];
  NETWRIGHT_TRY(view(values, x.format, x.rank));
  NETWRIGHT_TRY(view(places, Format::int64, x.rank));
  NETWRIGHT_REFUSE_IF(!in_range(call, 1, 1, 0, 1), "largest is not 0 or 1");
  NETWRIGHT_REFUSE_IF(!same_shape(values, places), "shapes differ");
  for (int d = 0; d < x.rank; ++d)
    NETWRIGHT_REFUSE_IF(d == call.parameter[0] ? values.shape[d] > x.shape[d] : values.shape[d] != x.shape[d], "k or a shape does not fit x");
  return nullptr;
}

std::int64_t workspace::top_k(const Call& call) { return call.operand[2].shape[call.parameter[0]] * 8; }

void baseline::top_k(const Call& call) {
  const Operand &values = call.operand[0], &places = call.operand[1], &x = call.operand[2];
  const Lines lines{x, int(call.parameter[0])};
  const std::int64_t length = x.shape[lines.axis], k = values.shape[lines.axis], step = x.stride[lines.axis];
  const auto order = reinterpret_cast<std::int64_t*>(call.workspace);
  const Piece mine = piece(call, lines.count());
  by_format(x.format, [&](auto zero) {
    using Element = decltype(zero);
    for (std::int64_t line = mine.begin; line < mine.end; ++line) {
      std::byte *from = lines.at(x, line), *to = lines.at(values, line), *where = lines.at(places, line);
      for (std::int64_t i = 0; i < length; ++i) order[i] = i;
      std::partial_sort(order, order + k, order + length, [&](std::int64_t a, std::int64_t b) {
        const Element first = element<Element>(from, a * step), second = element<Element>(from, b * step);
        if (before(first, second, call.parameter[1] != 0)) return true;
        return !before(second, first, call.parameter[1] != 0) && a < b;
      });
      for (std::int64_t i = 0; i < k; ++i) {
        element<Element>(to, i * values.stride[lines.axis]) = element<Element>(from, order[i] * step);
        element<std::int64_t>(where, i * places.stride[lines.axis]) = order[i];
      }
    }
  });
}

const char* check::lp_norm(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 2));
  NETWRIGHT_TRY(along_axis(call, 1));
  for (int i = 0; i < 2; ++i) NETWRIGHT_TRY(view(call.operand[i], Format::fp32, -1));
  NETWRIGHT_REFUSE_IF(!in_range(call, 1, 1, 1, 2), "p is not 1 or 2");
  return same_shape(call.operand[0], call.operand[1]) ? nullptr : "shapes differ";
}

void baseline::lp_norm(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  const Lines lines{x, int(call.parameter[0])};
  const std::int64_t length = x.shape[lines.axis], step = x.stride[lines.axis], out_step = out.stride[lines.axis];
  const Piece mine = piece(call, lines.count());
  for (std::int64_t line = mine.begin; line < mine.end; ++line) {
    std::byte *from = lines.at(x, line), *to = lines.at(out, line);
    double sum = 0;
    for (std::int64_t i = 0; i < length; ++i) {
      const double value = element<float>(from, i * step);
      sum += call.parameter[1] == 1 ? std::fabs(value) : value * value;
    }
    const double norm = call.parameter[1] == 1 ? sum : std::sqrt(sum);
    for (std::int64_t i = 0; i < length; ++i)
      element<float>(to, i * out_step) = norm == 0 ? 0.0f : float(element<float>(from, i * step) / norm);
  }
}

}  // namespace netwright
