// The opcode matmul_lookup: its check, its record made plain, its plain twin.
#include "kernels/quant_lookup.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/quant_check.hpp"
#include "kernels/quant_decode.hpp"
#include "kernels/quant_half.hpp"
#include "kernels/quant_opcodes.hpp"

namespace netwright {

const char* check::matmul_lookup(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 5, 7));
  const Operand &out = call.operand[0], &x = call.operand[1], &weight = call.operand[2];
  NETWRIGHT_TRY(matrix(out));
  NETWRIGHT_REFUSE_IF(x.format != Format::lut4x256, "x is not lut4x256");
  NETWRIGHT_TRY(block_rows(x, 4));
  NETWRIGHT_REFUSE_IF(!in_range(call, 0, 2, 1, std::int64_t{1} << 24), "K or N is out of range");
  NETWRIGHT_REFUSE_IF(!in_range(call, 2, 1, 1, kMostLookupBits), "codes have 1 to 4 bits");
  NETWRIGHT_REFUSE_IF(!in_range(call, 3, 1, 0, 15), "the zero of the codes is no code");
  const std::int64_t inputs = call.parameter[0], outputs = call.parameter[1];
  NETWRIGHT_REFUSE_IF(inputs % kLookupBlock, "K is no multiple of 256");
  NETWRIGHT_REFUSE_IF(x.shape[0] != out.shape[0] || x.shape[1] != inputs || out.shape[1] != outputs, "shapes do not agree with K and N");
  NETWRIGHT_TRY(packed_weight(weight, lookup_bytes(outputs, inputs, static_cast<int>(call.parameter[2]))));
  NETWRIGHT_TRY(optional_vector(call, 3, outputs));
  NETWRIGHT_REFUSE_IF(overlap(out, x) || overlap(out, weight), "out overlaps what is read");
  if (present(call, 4)) {
    const Operand& residual = call.operand[4];
    NETWRIGHT_TRY(matrix_of(residual, out.shape[0], out.shape[1]));
    NETWRIGHT_REFUSE_IF(overlap(out, residual) && !same_start(out, residual), "out and residual overlap, but are not one");
  }
  return fused_function(call, 4);
}

namespace {

LookupProduct product_of(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1];
  LookupProduct product{};
  product.bits = static_cast<int>(call.parameter[2]);
  product.zero = static_cast<std::int32_t>(call.parameter[3]);
  QuantProduct& plain = product.plain;
  plain.out = reinterpret_cast<float*>(out.data);
  plain.x = x.data;
  plain.weight = reinterpret_cast<const std::uint8_t*>(call.operand[2].data);
  plain.out_stride = out.stride[0] / 4;
  plain.x_stride = x.stride[0];
  if (check::present(call, 3)) plain.bias = reinterpret_cast<const float*>(call.operand[3].data);
  if (check::present(call, 4)) {
    plain.residual = reinterpret_cast<const float*>(call.operand[4].data);
    plain.residual_stride = call.operand[4].stride[0] / 4;
  }
  plain.num_tokens = x.shape[0];
  plain.num_rows = out.shape[1];
  plain.k = x.shape[1];
  return product;
}

float dot_row(const LookupProduct& product, const ActivationTables& x, const std::uint8_t* tile, int row) {
  float sum = 0.0f;
  for (std::int64_t block = 0; block < product.plain.k / kLookupBlock; ++block, tile += lookup_block_bytes(product.bits)) {
    std::int32_t dot = product.offset(x, block);
    for (int pair = 0; pair < 32; ++pair)
      for (int plane = 0; plane < product.bits; ++plane) {
        const std::uint8_t both = tile[2 * kLookupRows + lookup_byte(product.bits, pair, plane, row)];
        const std::uint8_t* entry = x.entry + block * 1024 + pair * 32;
        const std::uint16_t* high = x.high + block * 64 + pair * 2;
        const int even = both & 15, odd = both >> 4;
        dot += (entry[even] + (high[0] >> even & 1) * 256 + entry[16 + odd] + (high[1] >> odd & 1) * 256) << plane;
      }
    sum = std::fma(static_cast<float>(dot), half_to_float(load_u16(tile + 2 * row)) * x.scale[block], sum);
  }
  return sum;
}

void rows_scalar(const LookupProduct& product, std::int64_t begin, std::int64_t end) {
  const QuantProduct& plain = product.plain;
  const std::int64_t tile_bytes = plain.k / kLookupBlock * lookup_block_bytes(product.bits);
  for (std::int64_t n = begin; n < end; n += kLookupRows)
    for (std::int64_t t = 0; t < plain.num_tokens; ++t) {
      const ActivationTables x(plain.x + t * plain.x_stride, plain.k);
      float sum[kLookupRows];
      for (int row = 0; row < kLookupRows; ++row) sum[row] = dot_row(product, x, plain.weight + n / kLookupRows * tile_bytes, row);
      lookup_put(plain, t, n, std::min(n + kLookupRows, end), sum);
    }
}

}  // namespace

void pack_lookup(Format format, const std::uint8_t* weight, std::int64_t outputs, std::int64_t inputs, std::uint8_t* packed) {
  const DecodeBlock decode = block_decoder(format);
  const std::int64_t blocks = inputs / kLookupBlock, block_bytes = block_size(format).bytes;
  std::fill_n(packed, lookup_bytes(outputs, inputs, 2), std::uint8_t{0});
  DecodedBlock one;
  for (std::int64_t n = 0; n < outputs; ++n)
    for (std::int64_t block = 0; block < blocks; ++block) {
      const std::uint8_t* from = weight + (n * blocks + block) * block_bytes;
      std::uint8_t* to = packed + (n / kLookupRows * blocks + block) * lookup_block_bytes(2);
      const int row = static_cast<int>(n % kLookupRows);
      decode(from, one);
      std::copy_n(from + block_bytes - 2, 2, to + 2 * row);  // both formats end with their fp16 scale
      for (int i = 0; i < kLookupBlock; ++i)
        for (int plane = 0; plane < 2; ++plane)
          to[2 * kLookupRows + lookup_byte(2, i / 8, plane, row)] |= static_cast<std::uint8_t>(((one.q[i] + 1) >> plane & 1) << i % 8);
    }
}

void lookup_put(const QuantProduct& product, std::int64_t token, std::int64_t begin, std::int64_t end, const float* sum) {
  float* out = product.out + token * product.out_stride;
  const float* residual = product.residual == nullptr ? nullptr : product.residual + token * product.residual_stride;
  for (std::int64_t n = begin; n < end; ++n) {
    float value = sum[n - begin];
    if (product.bias != nullptr) value += product.bias[n];
    if (residual != nullptr) value += residual[n];
    out[n] = value;
  }
}

void lookup_multiply(const Call& call, LookupRows rows, QuantLoop function) {
  const LookupProduct product = product_of(call);
  const QuantProduct& plain = product.plain;
  const auto [begin, end] = piece(call, plain.num_rows, kLookupRows);
  if (begin == end) return;
  rows(product, begin, end);
  if (call.parameter[4] == static_cast<std::int64_t>(Function::identity)) return;
  for (std::int64_t t = 0; t < plain.num_tokens; ++t) {
    float* out = plain.out + t * plain.out_stride + begin;
    function(out, out, end - begin, static_cast<float>(call.real(5)), static_cast<float>(call.real(6)));
  }
}

void baseline::matmul_lookup(const Call& call) {
  lookup_multiply(call, rows_scalar, function_loop(static_cast<Function>(call.parameter[4])));
}

}  // namespace netwright
