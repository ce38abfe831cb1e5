// One pass over the buffers in some order, each put into the gap that suits it. Upper bounds only.
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

#include "plan/allocate.hpp"

namespace netwright::plan {
namespace {

using Offset = std::int64_t;

enum class Gap { first, smallest };

// Offset of the gap for `size` among occupied [begin, end) sorted by begin.
Offset find_gap(const std::vector<std::pair<Offset, Offset>>& occupied, Offset size, Offset alignment,
                Gap gap) {
  Offset top = 0, best = -1, best_room = std::numeric_limits<Offset>::max();
  for (const auto& [begin, end] : occupied) {
    const Offset at = align_up(top, alignment);
    if (begin - at >= size && begin - at < best_room) {
      best = at;
      best_room = begin - at;
      if (gap == Gap::first) return best;
    }
    top = std::max(top, end);
  }
  return best >= 0 ? best : align_up(top, alignment);
}

std::vector<Offset> place_in_order(const Buffers& buffers, const std::vector<std::int32_t>& order, Gap gap) {
  std::vector<Offset> offset(buffers.count(), 0);
  std::vector<std::int32_t> placed;
  std::vector<std::pair<Offset, Offset>> occupied;
  for (const std::int32_t b : order) {
    occupied.clear();
    for (const std::int32_t other : placed) {
      if (buffers.lower[b] < buffers.upper[other] && buffers.lower[other] < buffers.upper[b]) {
        occupied.emplace_back(offset[other], offset[other] + buffers.size[other]);
      }
    }
    std::sort(occupied.begin(), occupied.end());
    placed.push_back(b);
    if (buffers.fixed[b] < 0) {
      offset[b] = find_gap(occupied, buffers.size[b], buffers.alignment[b], gap);
      continue;
    }
    offset[b] = buffers.fixed[b];
    for (const auto& [begin, end] : occupied) {
      if (begin < offset[b] + buffers.size[b] && offset[b] < end) return {};
    }
  }
  return offset;
}

}  // namespace

Offset height_of(const Buffers& buffers, const std::vector<Offset>& offset) {
  Offset height = 0;
  for (std::size_t b = 0; b < offset.size(); ++b) height = std::max(height, offset[b] + buffers.size[b]);
  return height;
}

std::vector<Offset> greedy(const Buffers& buffers) {
  std::vector<std::int32_t> order(buffers.count());
  std::vector<Offset> best;
  for (int key = 0; key < 4; ++key) {
    std::iota(order.begin(), order.end(), 0);
    const auto value = [&](std::int32_t b) {
      const Offset width = buffers.upper[b] - buffers.lower[b];
      const Offset size = buffers.size[b];
      return std::array<std::pair<Offset, Offset>, 4>{
          {{size, width}, {width, size}, {width * size, size}, {-buffers.lower[b], size}}}[key];
    };
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      const bool a_fixed = buffers.fixed[a] >= 0, b_fixed = buffers.fixed[b] >= 0;
      return a_fixed != b_fixed ? a_fixed : value(a) > value(b);
    });
    for (const Gap gap : {Gap::first, Gap::smallest}) {
      std::vector<Offset> offset = place_in_order(buffers, order, gap);
      if (offset.empty()) return {};
      if (best.empty() || height_of(buffers, offset) < height_of(buffers, best)) best = std::move(offset);
    }
  }
  return best;
}

}  // namespace netwright::plan
