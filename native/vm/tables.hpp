// The binary tables of a program, as they lie in its file (docs/program-format.md). Little endian.
#pragma once

#include <cstdint>

namespace netwright {

inline constexpr std::uint16_t kAbsent = 0xFFFF;
inline constexpr int kMaxSymbols = 8;

// words[first_word ...] = offset in bytes, shape[rank], stride in bytes[rank]
struct OperandRow {
  std::uint16_t arena;  // kAbsent: no operand
  std::uint8_t format;
  std::uint8_t rank;
  std::uint32_t first_word;
};
static_assert(sizeof(OperandRow) == 8);

// words[word] += coefficient * symbol
struct PatchRow {
  std::uint32_t word;
  std::uint32_t symbol;
  std::int64_t coefficient;
};
static_assert(sizeof(PatchRow) == 16);

struct TaskRow {
  std::uint16_t opcode;
  std::uint16_t num_operands;
  std::uint16_t num_parameters;
  std::uint16_t worker;
  std::uint32_t first_operand;
  std::uint32_t first_parameter;  // a word
  std::uint32_t parts;
  std::uint32_t first_wait;  // waits[...]: indices of earlier tasks of the same entry
  std::uint32_t num_waits;
  std::uint32_t source;  // index of the operator's name
  std::uint32_t reserved[8];
};
static_assert(sizeof(TaskRow) == 64);

enum class ArenaKind : std::uint8_t { file = 0, constant = 1, state = 2, scratch = 3, input_output = 4 };

inline bool writable(ArenaKind kind) {
  return kind == ArenaKind::state || kind == ArenaKind::scratch || kind == ArenaKind::input_output;
}

}  // namespace netwright
