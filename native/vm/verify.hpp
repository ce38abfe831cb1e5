// What must hold of a program before any of it runs.
#pragma once

#include <vector>

#include "vm/executable.hpp"

namespace netwright {

// nullptr when every element of the operand, at this offset, lies inside the arena.
const char* outside_of_arena(const Operand& operand, std::int64_t offset, std::int64_t arena_bytes);

// The vertices of { low <= symbol <= high, sum <= limit }: a condition that is affine in the symbols holds
// everywhere in it exactly when it holds at these.
std::vector<std::vector<std::int64_t>> vertices(const EntrySpec& spec);

// Throws std::invalid_argument when a row points outside its table.
void verify_tables(const Tables& tables, std::size_t num_arenas);

}  // namespace netwright
