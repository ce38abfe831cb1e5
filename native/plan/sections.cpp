#include "plan/sections.hpp"

#include <algorithm>
#include <numeric>

namespace netwright::plan {
namespace {

void add_overlaps(Sections& sections) {
  // Two buffers overlap if and only if they share a section; the stamp drops repeats.
  const auto n = static_cast<std::int32_t>(sections.first.size());
  std::vector<std::int32_t> stamp(n, -1);
  sections.overlaps.start.push_back(0);
  for (std::int32_t b = 0; b < n; ++b) {
    stamp[b] = b;
    for (std::int32_t s = sections.first[b]; s < sections.last[b]; ++s) {
      for (std::int32_t i = sections.members.start[s]; i < sections.members.start[s + 1]; ++i) {
        const std::int32_t other = sections.members.item[i];
        if (stamp[other] == b) continue;
        stamp[other] = b;
        sections.overlaps.item.push_back(other);
      }
    }
    sections.overlaps.start.push_back(static_cast<std::int32_t>(sections.overlaps.item.size()));
  }
}

}  // namespace

std::int64_t overlapping_pairs(const Buffers& buffers) {
  // A buffer overlaps those that start before it ends, less those that end before it starts.
  std::vector<std::int64_t> lower = buffers.lower, upper = buffers.upper;
  std::sort(lower.begin(), lower.end());
  std::sort(upper.begin(), upper.end());
  std::int64_t twice = 0;
  for (std::size_t b = 0; b < buffers.count(); ++b) {
    twice += std::lower_bound(lower.begin(), lower.end(), buffers.upper[b]) - lower.begin();
    twice -= std::upper_bound(upper.begin(), upper.end(), buffers.lower[b]) - upper.begin();
    twice -= 1;  // itself
  }
  return twice / 2;
}

Sections make_sections(const Buffers& buffers) {
  const auto n = static_cast<std::int32_t>(buffers.count());
  std::vector<std::int32_t> by_lower(n), by_upper(n);
  std::iota(by_lower.begin(), by_lower.end(), 0);
  by_upper = by_lower;
  std::stable_sort(by_lower.begin(), by_lower.end(),
                   [&](auto a, auto b) { return buffers.lower[a] < buffers.lower[b]; });
  std::stable_sort(by_upper.begin(), by_upper.end(),
                   [&](auto a, auto b) { return buffers.upper[a] < buffers.upper[b]; });
  Sections sections{0, std::vector<std::int32_t>(n), std::vector<std::int32_t>(n), {}, {}};
  sections.members.start.push_back(0);
  std::vector<std::int32_t> alive;
  std::int32_t starting = 0;
  bool grown = false;
  // A section is closed at an end that follows a start: those are the maximal cliques.
  for (const std::int32_t ending : by_upper) {
    while (starting < n && buffers.lower[by_lower[starting]] < buffers.upper[ending]) {
      const std::int32_t b = by_lower[starting++];
      sections.first[b] = sections.count;
      alive.push_back(b);
      grown = true;
    }
    if (grown) {
      sections.members.item.insert(sections.members.item.end(), alive.begin(), alive.end());
      sections.members.start.push_back(static_cast<std::int32_t>(sections.members.item.size()));
      ++sections.count;
      grown = false;
    }
    sections.last[ending] = sections.count;
    alive.erase(std::find(alive.begin(), alive.end(), ending));
  }
  add_overlaps(sections);
  return sections;
}

}  // namespace netwright::plan
