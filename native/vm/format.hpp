// Sizes of the formats that operands have.
#pragma once

#include <cstdint>

#include "vm/opcode.hpp"

namespace netwright {

struct BlockSize {
  std::int64_t elements;
  std::int64_t bytes;
};

// {0, 0} for a code that is no format. The act8 formats are sized by their own kernels: a row of K.
constexpr BlockSize block_size(Format format) {
  switch (format) {
    case Format::fp32: case Format::int32: return {1, 4};
    case Format::fp16: case Format::bf16: case Format::int16: case Format::uint16: return {1, 2};
    case Format::fp64: case Format::int64: return {1, 8};
    case Format::int8: case Format::uint8: case Format::boolean: case Format::bytes: return {1, 1};
    case Format::q4_0: return {32, 18};
    case Format::q4_1: return {32, 20};
    case Format::q5_0: return {32, 22};
    case Format::q5_1: return {32, 24};
    case Format::q8_0: return {32, 34};
    case Format::q2_k: return {256, 84};
    case Format::q3_k: return {256, 110};
    case Format::q4_k: return {256, 144};
    case Format::q5_k: return {256, 176};
    case Format::q6_k: return {256, 210};
    case Format::tq1_0: return {256, 54};
    case Format::tq2_0: return {256, 66};
    case Format::act8x32: return {32, 44};
    case Format::act8x256: return {256, 292};
    case Format::lut4x256: return {256, 1168};
  }
  return {0, 0};
}

}  // namespace netwright
