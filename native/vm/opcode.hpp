// What a kernel sees, and what an opcode registers. Kernels know nothing of programs or threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace netwright {

inline constexpr int kMaxRank = 6;

// Codes are part of the program file format: never reuse or renumber.
enum class Format : std::uint8_t {
  fp32 = 0, fp16 = 1, bf16 = 2, fp64 = 3,
  int8 = 4, uint8 = 5, int16 = 6, int32 = 7, int64 = 8, boolean = 9, uint16 = 10,
  q4_0 = 16, q4_1 = 17, q5_0 = 18, q5_1 = 19, q8_0 = 20,
  q2_k = 21, q3_k = 22, q4_k = 23, q5_k = 24, q6_k = 25, tq1_0 = 26, tq2_0 = 27,
  act8x32 = 40,   // int8 activations, a scale and sums for each 32 (kernels/activation.hpp)
  act8x256 = 41,  // int8 activations, one fp32 scale for each 256, sums for each 16
  lut4x256 = 42,  // tables of the sums of four activations under all signs (kernels/activation.hpp)
  bytes = 63,     // packed by and for one kernel
};

// A strided view. Innermost stride of a block format is 0: its blocks are contiguous.
struct Operand {
  std::byte* data;  // nullptr: this optional operand is absent
  Format format;
  std::int32_t rank;
  std::int64_t shape[kMaxRank];
  std::int64_t stride[kMaxRank];  // bytes
};

// One task with its symbols resolved, and the piece of it to do: `part` of `parts`.
struct Call {
  const Operand* operand;        // written ones first
  const std::int64_t* parameter; // integers; reals are stored as the bits of a double
  std::byte* workspace;          // this thread's own, 64-byte aligned, Opcode::workspace bytes
  std::int32_t num_operands;
  std::int32_t num_parameters;
  std::int64_t part;
  std::int64_t parts;

  double real(int index) const { return __builtin_bit_cast(double, parameter[index]); }
};

using Kernel = void (*)(const Call&);
// nullptr when the call is legal: operand count, formats, ranks, shapes that must agree, strides that the
// kernel relies on, parameter ranges. After it, the kernel touches no byte outside the operands' extents.
using Check = const char* (*)(const Call&);
using Workspace = std::int64_t (*)(const Call&);

struct Opcode {
  std::uint16_t code;  // part of the file format: never reuse or renumber
  const char* name;
  std::int32_t num_written;  // the first operands are written, the rest are read
  Check check;
  Workspace workspace;  // nullptr: none
  Kernel scalar;        // the plain twin, always there
  Kernel avx2;          // nullptr: no faster form
  // Indices that the kernel trusts: a bit for each operand that holds some (it must lie where no task writes), and
  // what reads them once, after `check`.
  std::uint32_t trusted = 0;
  Check contents = nullptr;
};

// The piece [begin, end) of `count` units that this call owns; cut at multiples of `grain`.
struct Piece {
  std::int64_t begin, end;
};
inline Piece piece(const Call& call, std::int64_t count, std::int64_t grain = 1) {
  const std::int64_t units = (count + grain - 1) / grain;
  const std::int64_t begin = units * call.part / call.parts * grain;
  const std::int64_t end = units * (call.part + 1) / call.parts * grain;
  return {begin < count ? begin : count, end < count ? end : count};
}

}  // namespace netwright
