// matmul_quant on AVX2. Few tokens: each panel is unpacked into registers and used at once, again for every four.
// Many: the panels of sixteen rows are unpacked once into the workspace and meet every token.
#if defined(__AVX2__)
#include <algorithm>

#include "kernels/float_function.hpp"
#include "kernels/quant_kernels.hpp"
#include "kernels/quant_opcodes.hpp"
#include "kernels/quant_product_avx2.hpp"
#include "kernels/quant_single256_avx2.hpp"
#include "kernels/quant_wide_avx2.hpp"

namespace netwright {
namespace avx2 {
namespace {

// Lanes [first, 8) of `sum` go to rows `n` + lane * `step` of one token.
NETWRIGHT_INLINE void put_apart(const QuantProduct& product, std::int64_t t, std::int64_t n, std::int64_t step, int first,
                                __m256 sum) {
  alignas(32) float lane[8];
  _mm256_store_ps(lane, sum);
  for (int i = first; i < 8; ++i) {
    const std::int64_t row = n + i * step;
    float value = lane[i];
    if (product.bias != nullptr) value += product.bias[row];
    if (product.residual != nullptr) value += product.residual[t * product.residual_stride + row];
    product.out[t * product.out_stride + row] = value;
  }
}

// The same of neighbouring rows.
NETWRIGHT_INLINE void put(const QuantProduct& product, std::int64_t t, std::int64_t n, int first, __m256 sum) {
  const std::int64_t at = t * product.out_stride + n;
  const std::int64_t other = t * product.residual_stride + n;
  if (first == 0) {
    if (product.bias != nullptr) sum = _mm256_add_ps(sum, _mm256_loadu_ps(product.bias + n));
    if (product.residual != nullptr) sum = _mm256_add_ps(sum, _mm256_loadu_ps(product.residual + other));
    _mm256_storeu_ps(product.out + at, sum);
    return;
  }
  put_apart(product, t, n, 1, first, sum);
}

// The integers of the activations as the panels meet them: where the first column's lie, and bytes to the next.
struct Columns {
  const std::byte* first;
  std::int64_t stride;
};

NETWRIGHT_INLINE Columns columns_of(const QuantProduct& product) { return {product.x, product.x_stride}; }

// One block of panels and of neighbouring columns.
template <class P, int kPanels, int kTokens>
NETWRIGHT_INLINE void add_blocks(const QuantProduct& product, const Columns& columns, const P* const (&panel)[kPanels],
                                 std::int64_t t, std::int64_t block, __m256 (&sum)[kPanels][kTokens]) {
  const std::int8_t* q[kTokens];
  for (int i = 0; i < kTokens; ++i)
    q[i] = reinterpret_cast<const std::int8_t*>(columns.first + (t + i) * columns.stride) + block * P::kColumnBytes;
  __m256i dot[kPanels][kTokens];
  integer_dots<kPanels, kTokens>(panel, q, dot);
#pragma GCC unroll 4
  for (int i = 0; i < kTokens; ++i)
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; ++p)
      sum[p][i] = add_block(*panel[p], product.x + (t + i) * product.x_stride, product.k, block, dot[p][i], sum[p][i]);
}

// Eight rows that lie `step` apart; lanes [first, 8) are written.
template <Format F, int kTokens>
NETWRIGHT_INLINE void eight_rows(const QuantProduct& product, std::int64_t start, std::int64_t step, int first) {
  const std::int64_t blocks = product.k / Trait<F>::kBlock;
  const std::int64_t stride = product.weight_stride * step;
  Bytes at = product.weight + start * product.weight_stride;
  __m256 sum[1][kTokens];
  for (auto& each : sum[0]) each = _mm256_setzero_ps();
  for (std::int64_t block = 0; block < blocks; ++block, at += Trait<F>::kBytes) {
    if constexpr (kTokens == 1 && kSingle<F>) {
      sum[0][0] = add_single<F>(at, stride, product.x, product.k, block, sum[0][0]);
    } else {
      Panel<F> panel;
      unpack(at, stride, panel);
      const Panel<F>* const only[1] = {&panel};
      add_blocks<Panel<F>, 1, kTokens>(product, columns_of(product), only, 0, block, sum);
    }
  }
  for (int t = 0; t < kTokens; ++t) put_apart(product, t, start, step, first, sum[0][t]);
}

// A lane walks through one of eight runs of rows that lie `step` apart, from `begin` to `end` of each. One core reads
// memory half again as fast in eight streams as in one: the processor's prefetcher works page by page, and keeps each
// of them ahead.
template <Format F, int kTokens>
void eight_runs(const QuantProduct& product, std::int64_t begin, std::int64_t end, std::int64_t step) {
  for (std::int64_t n = begin; n < end; ++n) eight_rows<F, kTokens>(product, n, step, 0);
}

template <Format F, int kTokens>
void few_tokens(const QuantProduct& product, std::int64_t begin, std::int64_t end) {
  const std::int64_t step = (end - begin) / 8;
  eight_runs<F, kTokens>(product, begin, begin + step, step);
  const auto rest = static_cast<int>((end - begin) % 8);
  if (rest != 0) eight_rows<F, kTokens>(product, end - 8, 1, 8 - rest);
}

// Sections of eight runs that are all rows, for as many tokens as meet them at once.
template <Format F>
void runs_of(const Panel<F>*, const QuantProduct& product, std::int64_t begin, std::int64_t end) {
  const std::int64_t step = product.num_rows / 8;
  if (product.num_tokens == 1) eight_runs<F, 1>(product, begin, end, step);
  else if (product.num_tokens == 2) eight_runs<F, 2>(product, begin, end, step);
  else if (product.num_tokens == 3) eight_runs<F, 3>(product, begin, end, step);
  else eight_runs<F, 4>(product, begin, end, step);
}

// The product of tokens [first, first + count) alone.
QuantProduct of_tokens(const QuantProduct& product, std::int64_t first, std::int64_t count) {
  QuantProduct some = product;
  some.num_tokens = count;
  some.x += first * product.x_stride;
  some.out += first * product.out_stride;
  if (some.residual != nullptr) some.residual += first * product.residual_stride;
  return some;
}

// At most four tokens at a time, as evenly as can be: as many rows as stay in the second cache meet all of them.
template <Format F>
void some_tokens(const QuantProduct& product, std::int64_t begin, std::int64_t end) {
  const std::int64_t turns = (product.num_tokens + 3) / 4;
  const std::int64_t rows = turns == 1 ? end - begin : std::max<std::int64_t>(8, kSomeRowsBytes / product.weight_stride / 8 * 8);
  for (std::int64_t n = begin; n < end; n += rows)
    for (std::int64_t turn = 0; turn < turns; ++turn) {
      const std::int64_t first = product.num_tokens * turn / turns;
      const QuantProduct some = of_tokens(product, first, product.num_tokens * (turn + 1) / turns - first);
      const std::int64_t last = std::min(end, n + rows);
      if (some.num_tokens == 1) few_tokens<F, 1>(some, n, last);
      else if (some.num_tokens == 2) few_tokens<F, 2>(some, n, last);
      else if (some.num_tokens == 3) few_tokens<F, 3>(some, n, last);
      else few_tokens<F, 4>(some, n, last);
    }
}

// Where two groups of eight rows start, and their first lane to be written.
struct RowGroups {
  std::int64_t start[2];
  int first[2];
};

template <class P, int kPanels, int kTokens>
void panels_times(const QuantProduct& product, const Columns& columns, const P* panels, std::int64_t t, const RowGroups& groups) {
  const std::int64_t blocks = product.k / Trait<P::kFormat>::kBlock;
  __m256 sum[kPanels][kTokens];
  for (auto& group : sum)
    for (auto& each : group) each = _mm256_setzero_ps();
  for (std::int64_t block = 0; block < blocks; ++block) {
    const P* panel[kPanels];
    for (int p = 0; p < kPanels; ++p) panel[p] = panels + p * blocks + block;
    add_blocks<P, kPanels, kTokens>(product, columns, panel, t, block, sum);
  }
  for (int i = 0; i < kTokens; ++i)
    for (int p = 0; p < kPanels; ++p) put(product, t + i, groups.start[p], groups.first[p], sum[p][i]);
}

template <class P, int kPanels>
void panels_times_all(const QuantProduct& product, const Columns& columns, const P* panels, const RowGroups& groups) {
  std::int64_t t = 0;
  for (; t + 4 <= product.num_tokens; t += 4) panels_times<P, kPanels, 4>(product, columns, panels, t, groups);
  if (product.num_tokens - t >= 2) {
    panels_times<P, kPanels, 2>(product, columns, panels, t, groups);
    t += 2;
  }
  if (product.num_tokens > t) panels_times<P, kPanels, 1>(product, columns, panels, t, groups);
}

// Sixteen rows at a time are unpacked into `panels` and meet every column.
template <class P>
void unpacked_rows(const QuantProduct& product, const Columns& columns, P* panels, std::int64_t begin, std::int64_t end) {
  using T = Trait<P::kFormat>;
  const std::int64_t blocks = product.k / T::kBlock;
  for (std::int64_t n = begin; n < end; n += 16) {
    RowGroups groups{};
    const int count = end - n > 8 ? 2 : 1;
    for (int p = 0; p < count; ++p) {
      groups.start[p] = std::min(n + 8 * p, end - 8);
      groups.first[p] = static_cast<int>(n + 8 * p - groups.start[p]);
      Bytes at = product.weight + groups.start[p] * product.weight_stride;
      for (std::int64_t block = 0; block < blocks; ++block)
        unpack(at + block * T::kBytes, product.weight_stride, panels[p * blocks + block]);
    }
    if (count == 2) panels_times_all<P, 2>(product, columns, panels, groups);
    else panels_times_all<P, 1>(product, columns, panels, groups);
  }
}

template <Format F>
void many_tokens(const QuantProduct& product, std::int64_t begin, std::int64_t end) {
  static_assert(sizeof(Panel<F>) <= panel_bytes(Trait<F>::kBlock));
  unpacked_rows(product, columns_of(product), reinterpret_cast<Panel<F>*>(product.workspace), begin, end);
}

// Tokens by as many as stay in the second cache, widened.
template <>
void many_tokens<Format::q8_0>(const QuantProduct& product, std::int64_t begin, std::int64_t end) {
  const std::int64_t panels = 2 * product.k / 32 * kWidePanelBytes;
  const auto wide = reinterpret_cast<std::int16_t*>(product.workspace + panels);
  for (std::int64_t t = 0; t < product.num_tokens; t += kWideTokens) {
    const QuantProduct some = of_tokens(product, t, std::min(kWideTokens, product.num_tokens - t));
    widen_rows(some.x, some.x_stride, some.num_tokens, some.k, wide);
    const Columns columns{reinterpret_cast<const std::byte*>(wide), some.k * 2};
    unpacked_rows(some, columns, reinterpret_cast<WidePanel*>(product.workspace), begin, end);
  }
}

template <Format F>
void rows(const QuantProduct& product, std::int64_t begin, std::int64_t end) {
  if (product.num_tokens <= most_in_registers(F)) some_tokens<F>(product, begin, end);
  else many_tokens<F>(product, begin, end);
}

// Runs `use` with a null Panel pointer of the format's type.
template <class Use>
auto with_format(Format format, Use use) {
  switch (format) {
    case Format::q4_0: return use(static_cast<Panel<Format::q4_0>*>(nullptr));
    case Format::q4_1: return use(static_cast<Panel<Format::q4_1>*>(nullptr));
    case Format::q5_0: return use(static_cast<Panel<Format::q5_0>*>(nullptr));
    case Format::q5_1: return use(static_cast<Panel<Format::q5_1>*>(nullptr));
    case Format::q2_k: return use(static_cast<Panel<Format::q2_k>*>(nullptr));
    case Format::q3_k: return use(static_cast<Panel<Format::q3_k>*>(nullptr));
    case Format::q4_k: return use(static_cast<Panel<Format::q4_k>*>(nullptr));
    case Format::q5_k: return use(static_cast<Panel<Format::q5_k>*>(nullptr));
    case Format::q6_k: return use(static_cast<Panel<Format::q6_k>*>(nullptr));
    case Format::tq1_0: return use(static_cast<Panel<Format::tq1_0>*>(nullptr));
    case Format::tq2_0: return use(static_cast<Panel<Format::tq2_0>*>(nullptr));
    default: return use(static_cast<Panel<Format::q8_0>*>(nullptr));
  }
}

template <Format F>
void rows_of(const Panel<F>*, const QuantProduct& product, std::int64_t begin, std::int64_t end) {
  rows<F>(product, begin, end);
}

}  // namespace
}  // namespace avx2

void quant_rows_avx2(const QuantProduct& product, std::int64_t begin, std::int64_t end) {
  if (end - begin < 8) return quant_rows_scalar(product, begin, end);
  avx2::with_format(product.format, [&](const auto* tag) { avx2::rows_of(tag, product, begin, end); });
}

void quant_runs_avx2(const QuantProduct& product, std::int64_t begin, std::int64_t end) {
  avx2::with_format(product.format, [&](const auto* tag) { avx2::runs_of(tag, product, begin, end); });
}

void avx2::matmul_quant(const Call& call) {
  const QuantLoop function = function_loop(static_cast<Function>(call.parameter[0]));
  const std::int64_t tokens = call.operand[1].shape[0];
  if (tokens >= 1 && tokens <= 4) quant_multiply_runs(call, quant_runs_avx2, quant_rows_avx2, function);
  else quant_multiply(call, quant_rows_avx2, function);
}

}  // namespace netwright
#endif
