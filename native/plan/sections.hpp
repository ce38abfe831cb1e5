// The maximal sets of buffers alive together, in order of time, and who overlaps whom.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/allocate.hpp"

namespace netwright::plan {

// Compressed rows: row r is item[start[r] .. start[r + 1]).
struct Rows {
  std::vector<std::int32_t> start, item;
};

struct Sections {
  std::int32_t count;
  std::vector<std::int32_t> first, last;  // of each buffer: its sections are [first, last)
  Rows members;                           // section -> buffers
  Rows overlaps;                          // buffer -> buffers alive at the same time
};

Sections make_sections(const Buffers& buffers);

// How many pairs of buffers are alive together, without listing them; `make_sections` lists them all.
std::int64_t overlapping_pairs(const Buffers& buffers);

}  // namespace netwright::plan
