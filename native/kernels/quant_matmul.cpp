// The opcode matmul_quant: its check, its record made plain, its workspace.
#include <algorithm>

#include "kernels/quant_check.hpp"
#include "kernels/quant_decode.hpp"
#include "kernels/quant_kernels.hpp"
#include "kernels/quant_opcodes.hpp"

namespace netwright {

namespace check {

const char* matmul_quant(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 5, 3));
  const Operand &out = call.operand[0], &x = call.operand[1], &weight = call.operand[2];
  NETWRIGHT_TRY(matrix(out));
  NETWRIGHT_TRY(activation_rows(x));
  NETWRIGHT_TRY(block_rows(weight, 1));
  NETWRIGHT_REFUSE_IF(block_decoder(weight.format) == nullptr, "the weight is not in a block format");
  const bool small = block_size(weight.format).elements == 32;
  NETWRIGHT_REFUSE_IF(small != (x.format == Format::act8x32), "this weight format needs the other act8 format");
  return weight_product(call);
}

}  // namespace check

namespace {

QuantProduct product_of(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1], &weight = call.operand[2];
  QuantProduct product{};
  product.out = reinterpret_cast<float*>(out.data);
  product.x = x.data;
  product.weight = reinterpret_cast<const std::uint8_t*>(weight.data);
  product.out_stride = out.stride[0] / 4;
  product.x_stride = x.stride[0];
  product.weight_stride = weight.stride[0];
  if (check::present(call, 3)) product.bias = reinterpret_cast<const float*>(call.operand[3].data);
  if (check::present(call, 4)) {
    product.residual = reinterpret_cast<const float*>(call.operand[4].data);
    product.residual_stride = call.operand[4].stride[0] / 4;
  }
  product.num_tokens = x.shape[0];
  product.num_rows = weight.shape[0];
  product.k = weight.shape[1];
  product.format = weight.format;
  product.workspace = call.workspace;
  return product;
}

}  // namespace

namespace {
void finish(const Call& call, const QuantProduct& product, std::int64_t begin, std::int64_t end, QuantLoop function) {
  if (begin == end || call.parameter[0] == static_cast<std::int64_t>(Function::identity)) return;
  for (std::int64_t t = 0; t < product.num_tokens; ++t) {
    float* out = product.out + t * product.out_stride + begin;
    function(out, out, end - begin, static_cast<float>(call.real(1)), static_cast<float>(call.real(2)));
  }
}
}  // namespace

void quant_multiply(const Call& call, QuantRows rows, QuantLoop function) {
  const QuantProduct product = product_of(call);
  const auto [begin, end] = piece(call, product.num_rows, 8);
  if (begin == end) return;
  rows(product, begin, end);
  finish(call, product, begin, end, function);
}

void quant_multiply_runs(const Call& call, QuantRows runs, QuantRows rows, QuantLoop function) {
  const QuantProduct product = product_of(call);
  const std::int64_t length = product.num_rows / 8;
  const auto [first, last] = piece(call, length);
  if (first < last) runs(product, first, last);
  for (std::int64_t run = 0; run < 8; ++run) finish(call, product, run * length + first, run * length + last, function);
  if (call.part != call.parts - 1 || 8 * length == product.num_rows) return;
  rows(product, 8 * length, product.num_rows);
  finish(call, product, 8 * length, product.num_rows, function);
}

std::int64_t workspace::matmul_quant(const Call& call) {
  const Operand& weight = call.operand[2];
  if (call.operand[0].shape[0] <= most_in_registers(weight.format)) return 0;
  const std::int64_t tokens = call.operand[0].shape[0], k = weight.shape[1];
  if (weight.format == Format::q8_0) return 2 * k / 32 * kWidePanelBytes + std::min(tokens, kWideTokens) * k * 2;
  const std::int64_t block = block_size(weight.format).elements;
  return 2 * k / block * panel_bytes(block);
}

}  // namespace netwright
