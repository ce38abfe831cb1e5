// The opcode matmul_codes: its check, its record made plain, its plain twin.
#include "kernels/quant_codes.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/quant_check.hpp"
#include "kernels/quant_opcodes.hpp"

namespace netwright {

const char* check::matmul_codes(const Call& call) {
  NETWRIGHT_TRY(counts(call, 4, 5, 7));
  const Operand &out = call.operand[0], &x = call.operand[1], &weight = call.operand[2], &scale = call.operand[3];
  NETWRIGHT_TRY(matrix(out));
  NETWRIGHT_TRY(view(x, Format::uint8, 2));
  NETWRIGHT_REFUSE_IF(!contiguous(x, 1), "the last dim is not contiguous");
  // A sum of bytes over K stays below 2^31.
  NETWRIGHT_REFUSE_IF(!in_range(call, 0, 1, 1, std::int64_t{1} << 22), "K is out of range");
  NETWRIGHT_REFUSE_IF(!in_range(call, 1, 1, 1, std::int64_t{1} << 24), "N is out of range");
  const std::int64_t inputs = call.parameter[0], outputs = call.parameter[1];
  NETWRIGHT_REFUSE_IF(x.shape[0] != out.shape[0] || x.shape[1] != inputs || out.shape[1] != outputs, "shapes do not agree with K and N");
  NETWRIGHT_TRY(packed_weight(weight, outputs * codes_row_bytes(inputs)));
  NETWRIGHT_REFUSE_IF(!scale.data, "a required operand is absent");
  NETWRIGHT_TRY(optional_vector(call, 3, outputs));
  NETWRIGHT_TRY(optional_vector(call, 4, outputs));
  for (int i = 1; i < call.num_operands; ++i) NETWRIGHT_REFUSE_IF(overlap(out, call.operand[i]), "out overlaps what is read");
  return fused_function(call, 4);
}

std::int64_t workspace::matmul_codes(const Call& call) { return kCodesTokens * codes_blocks(call.parameter[0]) * kCodesBlock; }

namespace {

CodesProduct product_of(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  CodesProduct product{};
  product.out = reinterpret_cast<float*>(out.data);
  product.x = reinterpret_cast<const std::uint8_t*>(x.data);
  product.weight = reinterpret_cast<const std::uint8_t*>(call.operand[2].data);
  product.scale = reinterpret_cast<const float*>(call.operand[3].data);
  if (check::present(call, 4)) product.bias = reinterpret_cast<const float*>(call.operand[4].data);
  product.workspace = reinterpret_cast<std::uint8_t*>(call.workspace);
  product.out_stride = out.stride[0] / 4;
  product.x_stride = x.stride[0];
  product.num_tokens = x.shape[0];
  product.num_rows = out.shape[1];
  product.k = x.shape[1];
  int table[16];
  for (int i = 0; i < 16; ++i) {
    const auto word = static_cast<std::uint64_t>(call.parameter[2 + i / 8]);
    table[i] = static_cast<std::int8_t>(word >> (8 * (i % 8)));
  }
  product.least = *std::min_element(table, table + 16);
  product.range = *std::max_element(table, table + 16) - product.least;
  for (int i = 0; i < 16; ++i) product.entry[i] = static_cast<std::uint8_t>(table[i] - product.least);
  return product;
}

void rows_scalar(const CodesProduct& product, std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) {
  for (std::int64_t n = begin; n < end; ++n) {
    const std::uint8_t* row = product.weight + n * codes_row_bytes(product.k);
    const float scale = product.scale[n], bias = product.bias == nullptr ? 0.0f : product.bias[n];
    for (std::int64_t t = first; t < last; ++t) {
      const std::uint8_t* x = product.x + t * product.x_stride;
      std::int32_t sum = 0;
      for (std::int64_t k = 0; k < product.k; ++k) {
        const std::uint8_t four = row[k / kCodesBlock * kCodesBlockBytes + k % 32];
        sum += product.least + product.entry[(four >> (k % kCodesBlock / 32 * 2) & 3) << 2 | (x[k] & 3)];
      }
      product.out[t * product.out_stride + n] = std::fma(static_cast<float>(sum), scale, bias);
    }
  }
}

}  // namespace

void codes_multiply(const Call& call, CodesRows rows, QuantLoop function) {
  const CodesProduct product = product_of(call);
  // Whichever there are more of is cut: a convolution's pixels, or the outputs of one token.
  const bool by_token = product.num_tokens > product.num_rows;
  const auto [low, high] = by_token ? piece(call, product.num_tokens, kCodesTokens) : piece(call, product.num_rows, 16);
  if (low == high) return;
  const std::int64_t first = by_token ? low : 0, last = by_token ? high : product.num_tokens;
  const std::int64_t begin = by_token ? 0 : low, end = by_token ? product.num_rows : high;
  rows(product, first, last, begin, end);
  if (call.parameter[4] == static_cast<std::int64_t>(Function::identity)) return;
  for (std::int64_t t = first; t < last; ++t) {
    float* out = product.out + t * product.out_stride + begin;
    function(out, out, end - begin, static_cast<float>(call.real(5)), static_cast<float>(call.real(6)));
  }
}

void baseline::matmul_codes(const Call& call) {
  codes_multiply(call, rows_scalar, function_loop(static_cast<Function>(call.parameter[4])));
}

}  // namespace netwright
