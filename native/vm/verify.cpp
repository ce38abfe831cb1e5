#include "vm/verify.hpp"

#include <stdexcept>
#include <string>
#include <utility>

#include "vm/format.hpp"

namespace netwright {

namespace {

// Larger numbers cannot be sizes of anything real; below it no sum or product here overflows 128 bits.
constexpr std::int64_t kLargest = std::int64_t{1} << 46;

bool sane(std::int64_t value) { return value > -kLargest && value < kLargest; }

}  // namespace

const char* outside_of_arena(const Operand& operand, std::int64_t offset, std::int64_t arena_bytes) {
  const BlockSize block = block_size(operand.format);
  if (block.elements == 0) return "an operand has a format code that this build does not know";
  if (!sane(offset)) return "an operand's offset is out of range";
  __int128 lowest = offset, highest = offset;
  bool empty = false;
  for (int d = 0; d < operand.rank; ++d) {
    const std::int64_t size = operand.shape[d], stride = operand.stride[d];
    if (size < 0 || !sane(size) || !sane(stride)) return "an operand's shape or stride is out of range";
    if (size == 0) {
      empty = true;
      continue;
    }
    const bool innermost = d == operand.rank - 1;
    if (block.elements > 1 && innermost) {
      if (size % block.elements != 0) return "a row of a block format is no whole number of blocks";
      highest += static_cast<__int128>(size / block.elements) * block.bytes - block.bytes;
      continue;
    }
    const __int128 reach = static_cast<__int128>(stride) * (size - 1);
    (reach < 0 ? lowest : highest) += reach;
  }
  if (block.elements > 1 && operand.rank == 0) return "a block format needs a row";
  if (empty) return nullptr;
  highest += block.bytes;
  if (lowest < 0 || highest > arena_bytes) return "an operand reaches outside its arena";
  return nullptr;
}

std::vector<std::vector<std::int64_t>> vertices(const EntrySpec& spec) {
  std::vector<std::vector<std::int64_t>> found;
  const std::size_t n = spec.low.size();
  for (std::size_t corner = 0; corner < (std::size_t{1} << n); ++corner) {
    std::vector<std::int64_t> point(n);
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += point[i] = (corner >> i & 1) ? spec.high[i] : spec.low[i];
    if (sum <= spec.limit) {
      found.push_back(point);
      continue;
    }
    // Where an edge of the box leaves through sum = limit.
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t value = spec.limit - (sum - point[i]);
      if (value < spec.low[i] || value > spec.high[i]) continue;
      auto edge = point;
      edge[i] = value;
      found.push_back(edge);
    }
  }
  return found;
}

void verify_tables(const Tables& tables, std::size_t num_arenas) {
  const auto fail = [](const char* what, std::size_t index) {
    throw std::invalid_argument(std::string(what) + " " + std::to_string(index) + " points outside its table");
  };
  for (std::size_t i = 0; i < tables.operands.size(); ++i) {
    const OperandRow& row = tables.operands[i];
    if (row.arena == kAbsent) continue;
    if (row.arena >= num_arenas || row.rank > kMaxRank ||
        std::size_t{row.first_word} + 1 + 2 * std::size_t{row.rank} > tables.words.size())
      fail("operand", i);
  }
  for (std::size_t i = 0; i < tables.patches.size(); ++i) {
    const PatchRow& row = tables.patches[i];
    if (row.word >= tables.words.size() || row.symbol >= kMaxSymbols || !sane(row.coefficient)) fail("patch", i);
    if (i > 0 && std::pair(row.word, row.symbol) <= std::pair(tables.patches[i - 1].word, tables.patches[i - 1].symbol))
      throw std::invalid_argument("patch " + std::to_string(i) + " does not come after the one before it");
  }
  std::size_t operands = 0, parameters = 0, waits = 0;
  for (std::size_t i = 0; i < tables.tasks.size(); ++i) {
    const TaskRow& row = tables.tasks[i];
    operands += row.num_operands, parameters += row.num_parameters, waits += row.num_waits;
    if (std::size_t{row.first_operand} + row.num_operands > tables.operands.size() ||
        std::size_t{row.first_parameter} + row.num_parameters > tables.words.size() ||
        std::size_t{row.first_wait} + row.num_waits > tables.waits.size() || row.parts == 0 || row.parts > 65536)
      fail("task", i);
  }
  // Rows are never shared, so what a program unfolds to is no larger than its file.
  if (operands > tables.operands.size() || parameters > tables.words.size() || waits > tables.waits.size())
    throw std::invalid_argument("tasks share rows of operands, parameters or waits");
}

}  // namespace netwright
