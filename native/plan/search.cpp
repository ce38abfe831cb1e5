// Branch and bound over canonical solutions, after M. D. Moffitt, "MiniMalloc: A Lightweight Memory
// Allocator for Hardware-Accelerated Machine Learning", ASPLOS 2023, doi:10.1145/3623278.3624752.
// Buffers are placed in order of offset, each as low as those placed before it allow. Own additions:
// one undo trail, witnesses that make the section floors cheap, candidates cut before they are sorted.
#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <numeric>

#include "plan/allocate.hpp"
#include "plan/sections.hpp"

namespace netwright::plan {
namespace {

using Offset = std::int64_t;
using Index = std::int32_t;
constexpr Offset kFar = std::numeric_limits<Offset>::max() / 4;
#if defined(__SANITIZE_ADDRESS__)
constexpr int kDeepest = 1000;  // frames are several times as large
#else
constexpr int kDeepest = 4000;  // levels of recursion: some 3 MB of stack
#endif
constexpr std::int64_t kMostPairs = 1 << 24;  // of overlapping buffers: 128 MiB

// Which buffers to try first among equal offsets: Width in time, Area, Total load around it.
enum class Key : std::uint8_t { width, area, total };
using Preorder = std::array<Key, 3>;
constexpr std::array<Preorder, 3> kPreorders = {{{Key::width, Key::area, Key::total},
                                                 {Key::total, Key::area, Key::width},
                                                 {Key::total, Key::width, Key::area}}};

// Buffers and sections that can be solved without looking at the others.
struct Part {
  std::vector<Index> buffers;  // in preorder: the position is the rank
  Index first, last;           // sections
};

struct Candidate {
  Offset offset;
  Index rank;
};

struct Undo {
  Index index;
  Offset value;
};

class Search {
 public:
  Search(const Buffers& buffers, Offset capacity, const Limits& limits)
      : buffers_(buffers), sections_(make_sections(buffers)), capacity_(capacity), limits_(limits) {
    const auto n = buffers.count();
    start_offset_.assign(n, 0);
    for (std::size_t b = 0; b < n; ++b) start_offset_[b] = std::max<Offset>(0, buffers.fixed[b]);
    solution_.assign(n, 0);
    stamp_.assign(sections_.count, 0);
  }

  Fit run() {
    Fit result{Outcome::impossible, 0, {}};
    if (!within_capacity()) return result;
    std::int64_t slice = 2 * static_cast<std::int64_t>(buffers_.count()) + 2;
    for (;; slice *= 2) {
      for (const Preorder& preorder : kPreorders) {
        preorder_ = preorder;
        nodes_left_ = std::min(slice, limits_.nodes - nodes_used_);
        const std::int64_t given = nodes_left_;
        reset();
        result.outcome = solve_all();
        nodes_used_ += given - nodes_left_;
        result.nodes = nodes_used_;
        if (result.outcome == Outcome::found) result.offset = solution_;
        if (result.outcome != Outcome::stopped || out_of_budget()) return result;
      }
    }
  }

 private:
  bool within_capacity() const {
    for (std::size_t b = 0; b < buffers_.count(); ++b) {
      if (start_offset_[b] + buffers_.size[b] > capacity_) return false;
    }
    return true;
  }

  bool out_of_budget() {
    if (too_deep_ || nodes_used_ >= limits_.nodes) return true;
    if (limits_.seconds <= 0) return false;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began_;
    return passed.count() > limits_.seconds;
  }

  void reset() {
    min_offset_ = start_offset_;
    placed_.assign(buffers_.count(), 0);
    floor_.assign(sections_.count, 0);
    total_.assign(sections_.count, 0);
    cuts_.assign(sections_.count, 0);
    offset_trail_.clear();
    floor_trail_.clear();
    active_.clear();
    candidates_.clear();
    for (std::size_t b = 0; b < buffers_.count(); ++b) {
      for (Index s = sections_.first[b]; s < sections_.last[b]; ++s) {
        total_[s] += buffers_.size[b];
        if (s + 1 < sections_.last[b]) ++cuts_[s];
      }
    }
  }

  Outcome solve_all() {
    Part part{{}, 0, 0};
    part.buffers.resize(buffers_.count());
    std::iota(part.buffers.begin(), part.buffers.end(), 0);
    std::vector<Index> cutpoints = {0};
    for (Index s = 0; s + 1 < sections_.count; ++s) {
      if (cuts_[s] == 0) cutpoints.push_back(s + 1);
    }
    part.last = sections_.count;
    return solve_split(part, cutpoints);
  }

  // Each piece between two cutpoints on its own; the first that is impossible ends it.
  Outcome solve_split(const Part& part, std::vector<Index>& cutpoints) {
    cutpoints.push_back(part.last);
    for (std::size_t c = 1; c < cutpoints.size(); ++c) {
      Part piece{{}, cutpoints[c - 1], cutpoints[c]};
      for (const Index b : part.buffers) {
        if (!placed_[b] && sections_.first[b] < piece.last && piece.first < sections_.last[b]) {
          piece.buffers.push_back(b);
        }
      }
      if (piece.buffers.empty()) continue;
      sort_preorder(piece);
      const std::size_t base = active_.size();
      for (std::size_t r = 0; r < piece.buffers.size(); ++r) active_.push_back(static_cast<Index>(r));
      const Outcome outcome = node(piece, base, active_.size(), -1, 0);
      active_.resize(base);
      if (outcome != Outcome::found) return outcome;
    }
    return Outcome::found;
  }

  void sort_preorder(Part& part) {
    struct Ranked {
      std::array<Offset, 3> key;
      Index buffer;
    };
    std::vector<Ranked> ranked;
    ranked.reserve(part.buffers.size());
    for (const Index b : part.buffers) {
      const Offset width = buffers_.upper[b] - buffers_.lower[b];
      const Offset total = *std::max_element(total_.begin() + sections_.first[b],
                                             total_.begin() + sections_.last[b]);
      const std::array<Offset, 3> value = {width, width * buffers_.size[b], total};
      Ranked entry{{}, b};
      for (int k = 0; k < 3; ++k) entry.key[k] = value[static_cast<int>(preorder_[k])];
      ranked.push_back(entry);
    }
    std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
      return a.key != b.key ? a.key > b.key : a.buffer < b.buffer;
    });
    for (std::size_t r = 0; r < ranked.size(); ++r) part.buffers[r] = ranked[r].buffer;
  }

  // Places one more buffer of the part. `from`, `from_rank`: the last placement; the canonical order
  // (offset, then rank) never goes back behind it.
  Outcome node(const Part& part, std::size_t begin, std::size_t end, Offset from, Index from_rank) {
    if (nodes_left_-- <= 0) return Outcome::stopped;
    if (depth_ >= kDeepest) {
      too_deep_ = true;
      return Outcome::stopped;
    }
    if ((nodes_left_ & 1023) == 0 && limits_.seconds > 0 && out_of_budget()) return Outcome::stopped;
    const std::size_t base = active_.size();
    Offset lowest_top = kFar;  // a placement at or above it would leave a hole that a buffer fits in
    for (std::size_t i = begin; i < end; ++i) {
      const Index b = part.buffers[active_[i]];
      if (placed_[b]) continue;
      active_.push_back(active_[i]);
      lowest_top = std::min(lowest_top, min_offset_[b] + buffers_.size[b]);
    }
    const std::size_t top = active_.size();
    if (top == base) return Outcome::found;
    const std::size_t first = candidates_.size();
    for (std::size_t i = base; i < top; ++i) {
      const Index rank = active_[i];
      const Offset offset = min_offset_[part.buffers[rank]];
      if (offset >= lowest_top || offset < from || (offset == from && rank < from_rank)) continue;
      candidates_.push_back({offset, rank});
    }
    std::sort(candidates_.begin() + static_cast<std::ptrdiff_t>(first), candidates_.end(),
              [](const Candidate& a, const Candidate& b) {
                return a.offset != b.offset ? a.offset < b.offset : a.rank < b.rank;
              });
    const std::size_t past = candidates_.size();
    Outcome outcome = Outcome::impossible;
    for (std::size_t c = first; c < past && outcome == Outcome::impossible; ++c) {
      // Offsets ascend, so what does not fit above this one does not fit above the next.
      if (!sections_fit(part, candidates_[c].offset)) break;
      bool hatless = false;
      outcome = branch(part, base, top, candidates_[c], hatless);
      // With nothing left above it, its place cannot be the reason of the failure.
      if (hatless) break;
    }
    candidates_.resize(first);
    active_.resize(base);
    return outcome;
  }

  Outcome branch(const Part& part, std::size_t begin, std::size_t end, Candidate choice, bool& hatless) {
    const Index b = part.buffers[choice.rank];
    const std::size_t offset_mark = offset_trail_.size();
    const std::size_t floor_mark = floor_trail_.size();
    placed_[b] = 1;
    solution_[b] = choice.offset;
    Outcome outcome = Outcome::impossible;
    if (raise_offsets(b, choice.offset, hatless)) {
      if (raise_floors(b, choice.offset, offset_mark)) outcome = descend(part, begin, end, choice);
      for (Index s = sections_.first[b]; s < sections_.last[b]; ++s) total_[s] += buffers_.size[b];
    }
    for (; floor_trail_.size() > floor_mark; floor_trail_.pop_back()) {
      floor_[floor_trail_.back().index] = floor_trail_.back().value;
    }
    for (; offset_trail_.size() > offset_mark; offset_trail_.pop_back()) {
      min_offset_[offset_trail_.back().index] = offset_trail_.back().value;
    }
    placed_[b] = 0;
    return outcome;
  }

  Outcome descend(const Part& part, std::size_t begin, std::size_t end, Candidate choice) {
    const Index b = part.buffers[choice.rank];
    std::vector<Index> cutpoints;
    for (Index s = sections_.first[b]; s + 1 < sections_.last[b]; ++s) {
      if (--cuts_[s] != 0) continue;
      if (cutpoints.empty()) cutpoints.push_back(part.first);
      cutpoints.push_back(s + 1);
    }
    ++depth_;
    const Outcome outcome = cutpoints.empty()
                                ? node(part, begin, end, choice.offset, choice.rank)
                                : solve_split(part, cutpoints);
    --depth_;
    for (Index s = sections_.first[b]; s + 1 < sections_.last[b]; ++s) ++cuts_[s];
    return outcome;
  }

  // False when a fixed buffer, or any, could no longer be placed.
  bool raise_offsets(Index b, Offset offset, bool& hatless) {
    hatless = true;
    const Offset height = offset + buffers_.size[b];
    for (Index i = sections_.overlaps.start[b]; i < sections_.overlaps.start[b + 1]; ++i) {
      const Index other = sections_.overlaps.item[i];
      if (placed_[other]) continue;
      hatless = false;
      if (min_offset_[other] >= height) continue;
      offset_trail_.push_back({other, min_offset_[other]});
      min_offset_[other] = align_up(height, buffers_.alignment[other]);
      if (buffers_.fixed[other] >= 0 && min_offset_[other] > buffers_.fixed[other]) return false;
      if (min_offset_[other] + buffers_.size[other] > capacity_) return false;
    }
    return true;
  }

  // False when what is still to place in some section cannot fit above its new floor.
  bool raise_floors(Index b, Offset offset, std::size_t offset_mark) {
    const Offset height = offset + buffers_.size[b];
    for (Index s = sections_.first[b]; s < sections_.last[b]; ++s) {
      floor_trail_.push_back({s, floor_[s]});
      floor_[s] = height;
      total_[s] -= buffers_.size[b];
    }
    ++stamps_;
    for (Index s = sections_.first[b]; s < sections_.last[b]; ++s) {
      if (!raise_floor(s)) return false;
    }
    for (std::size_t i = offset_mark; i < offset_trail_.size(); ++i) {
      const Undo change = offset_trail_[i];
      for (Index s = sections_.first[change.index]; s < sections_.last[change.index]; ++s) {
        // Only a buffer at the floor can have held it down.
        if (change.value <= floor_[s] && !raise_floor(s)) return false;
      }
    }
    return true;
  }

  // A section's floor is at least the lowest offset left to any of its buffers.
  bool raise_floor(Index s) {
    if (stamp_[s] == stamps_) return true;
    stamp_[s] = stamps_;
    const Index begin = sections_.members.start[s], end = sections_.members.start[s + 1];
    Index* member = sections_.members.item.data();
    Offset lowest = kFar;
    for (Index i = begin; i < end; ++i) {
      if (placed_[member[i]]) continue;
      const Offset offset = min_offset_[member[i]];
      if (offset <= floor_[s]) {
        std::swap(member[i], member[begin]);  // the witness: likely to hold the next time too
        return true;
      }
      lowest = std::min(lowest, offset);
    }
    if (lowest == kFar) return true;
    floor_trail_.push_back({s, floor_[s]});
    floor_[s] = lowest;
    return lowest + total_[s] <= capacity_;
  }

  // What is still to place in a section goes above its floor, and above this offset.
  bool sections_fit(const Part& part, Offset offset) const {
    Offset highest = 0;
    for (Index s = part.first; s < part.last; ++s) {
      highest = std::max(highest, std::max(floor_[s], offset) + total_[s]);
    }
    return highest <= capacity_;
  }

  const Buffers& buffers_;
  Sections sections_;
  const Offset capacity_;
  const Limits limits_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  Preorder preorder_{};
  int depth_ = 0;
  bool too_deep_ = false;
  std::int64_t nodes_left_ = 0, nodes_used_ = 0, stamps_ = 0;
  std::vector<Offset> start_offset_, min_offset_, solution_, floor_, total_;
  std::vector<char> placed_;
  std::vector<Index> cuts_, active_;
  std::vector<std::int64_t> stamp_;
  std::vector<Candidate> candidates_;
  std::vector<Undo> offset_trail_, floor_trail_;
};

}  // namespace

Fit fit(const Buffers& buffers, std::int64_t capacity, const Limits& limits) {
  if (buffers.count() == 0) return {Outcome::found, 0, {}};
  if (overlapping_pairs(buffers) > kMostPairs) return {Outcome::stopped, 0, {}};
  return Search(buffers, capacity, limits).run();
}

}  // namespace netwright::plan
