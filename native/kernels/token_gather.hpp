// gather_rows: rows of a table of any weight format, decoded. Included once by each instruction set's file.
#pragma once

#include <algorithm>

#include "kernels/quant_blocks.hpp"
#include "kernels/quant_decode.hpp"
#include "kernels/quant_opcodes.hpp"
#include "kernels/token_vector.hpp"

namespace netwright::NETWRIGHT_ISA {
namespace {

void decode_blocks(float* out, const std::uint8_t* from, Format format, std::int64_t k, float factor) {
  const BlockSize shape = block_size(format);
  const DecodeBlock decode_block = block_decoder(format);
  const bool minimum = has_minimum(format);
  DecodedBlock block;
  for (std::int64_t first = 0; first < k; first += shape.elements, from += shape.bytes) {
    decode_block(from, block);
    for (int group = 0; group < shape.elements; group += 16) {
      const bool small = shape.elements == 32;
      const float scale = small ? block.scale : block.scale * static_cast<float>(block.sub[group / 16]);
      const float offset = !minimum ? 0.0f : small ? block.minimum : -(block.minimum * static_cast<float>(block.offset[group / 16]));
      for (int i = group; i < group + 16; ++i) out[first + i] = (scale * static_cast<float>(block.q[i]) + offset) * factor;
    }
  }
}

void decode_row(float* out, const std::byte* from, Format format, std::int64_t k, float factor) {
  if (is_block(format)) return decode_blocks(out, reinterpret_cast<const std::uint8_t*>(from), format, k, factor);
  const auto words = reinterpret_cast<const std::uint16_t*>(from);
  const auto floats = reinterpret_cast<const float*>(from);
  for (std::int64_t i = 0; i < k; ++i)
    out[i] = factor * (format == Format::fp32 ? floats[i] : format == Format::fp16 ? half_to_float(words[i]) : bfloat_to_float(words[i]));
}

}  // namespace

void gather_rows(const Call& call) {
  const Operand &out = call.operand[0], &table = call.operand[1], &ids = call.operand[2];
  const auto [begin, end] = piece(call, out.shape[0]);
  for (std::int64_t t = begin; t < end; ++t) {
    const std::byte* at = ids.data + t * ids.stride[0];
    std::int64_t id = ids.format == Format::int64 ? *reinterpret_cast<const std::int64_t*>(at) : *reinterpret_cast<const std::int32_t*>(at);
    id = std::clamp<std::int64_t>(id, 0, table.shape[0] - 1);
    decode_row(reinterpret_cast<float*>(out.data + t * out.stride[0]), table.data + id * table.stride[0], table.format,
               table.shape[1], static_cast<float>(call.real(0)));
  }
}

}  // namespace netwright::NETWRIGHT_ISA
