// The plain twin of matmul_quant. The order of its sums is the definition: block after block, one fused
// multiply-add for the integers and one for the minimums; the fast forms give the same bits.
#include <cmath>

#include "kernels/quant_kernels.hpp"
#include "kernels/quant_blocks.hpp"
#include "kernels/float_function.hpp"
#include "kernels/quant_decode.hpp"
#include "kernels/quant_opcodes.hpp"

namespace netwright {
namespace {

float add_block_32(const DecodedBlock& block, const Activation32& x, std::int64_t index, bool minimum, float sum) {
  std::int32_t dot = 0;
  for (int i = 0; i < 32; ++i) dot += block.q[i] * x.q[index * 32 + i];
  sum = std::fma(static_cast<float>(dot), block.scale * x.scale[index], sum);
  return minimum ? std::fma(block.minimum, x.minimum[index], sum) : sum;
}

float add_block_256(const DecodedBlock& block, const Activation256& x, std::int64_t index, bool minimum, float sum) {
  std::int32_t dot = 0;
  std::int32_t offset = 0;
  for (int group = 0; group < 16; ++group) {
    std::int32_t part = 0;
    for (int i = 0; i < 16; ++i) part += block.q[group * 16 + i] * x.q[index * 256 + group * 16 + i];
    dot += part * block.sub[group];
    if (minimum) offset += block.offset[group] * x.sum[index * 16 + group];
  }
  sum = std::fma(static_cast<float>(dot), block.scale * x.scale[index], sum);
  return minimum ? std::fma(static_cast<float>(-offset), block.minimum * x.scale[index], sum) : sum;
}

float dot_row(Format format, const std::uint8_t* weight, const std::byte* x, std::int64_t k) {
  const BlockSize shape = block_size(format);
  const DecodeBlock decode_block = block_decoder(format);
  const bool minimum = has_minimum(format);
  DecodedBlock block;
  float sum = 0.0f;
  for (std::int64_t index = 0; index < k / shape.elements; ++index) {
    decode_block(weight + index * shape.bytes, block);
    sum = shape.elements == 32 ? add_block_32(block, Activation32(x, k), index, minimum, sum)
                               : add_block_256(block, Activation256(x, k), index, minimum, sum);
  }
  return sum;
}

}  // namespace

void quant_rows_scalar(const QuantProduct& product, std::int64_t begin, std::int64_t end) {
  for (std::int64_t t = 0; t < product.num_tokens; ++t)
    for (std::int64_t n = begin; n < end; ++n) {
      const std::byte* x = product.x + t * product.x_stride;
      float sum = dot_row(product.format, product.weight + n * product.weight_stride, x, product.k);
      if (product.bias != nullptr) sum += product.bias[n];
      if (product.residual != nullptr) sum += product.residual[t * product.residual_stride + n];
      product.out[t * product.out_stride + n] = sum;
    }
}

void baseline::matmul_quant(const Call& call) {
  quant_multiply(call, quant_rows_scalar, function_loop(static_cast<Function>(call.parameter[0])));
}

}  // namespace netwright
