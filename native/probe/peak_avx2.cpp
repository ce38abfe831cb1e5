// AVX2 forms of what the probe measures. Runs only where cpuid says AVX2 and FMA.
#if defined(__x86_64__)
#include <immintrin.h>

#include "probe/measure.hpp"

namespace netwright::probe {
namespace {

std::uint64_t read(const std::uint64_t* words, std::int64_t count) {
  __m256i sum[8];
  for (auto& each : sum) each = _mm256_setzero_si256();
  for (std::int64_t i = 0; i < count; i += 32)
    for (int lane = 0; lane < 8; ++lane)
      sum[lane] = _mm256_xor_si256(sum[lane],
                                   _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + i + 4 * lane)));
  __m256i all = sum[0];
  for (int lane = 1; lane < 8; ++lane) all = _mm256_add_epi64(all, sum[lane]);
  return static_cast<std::uint64_t>(_mm256_extract_epi64(all, 0) + _mm256_extract_epi64(all, 3));
}

// A line of each of eight pages in turn, then the next; what is left over one after the other.
std::uint64_t read_pages(const std::uint64_t* words, std::int64_t count) {
  constexpr std::int64_t kPageWords = 512, kPages = 8;
  __m256i sum[kPages];
  for (auto& each : sum) each = _mm256_setzero_si256();
  std::int64_t i = 0;
  for (; i + kPages * kPageWords <= count; i += kPages * kPageWords)
    for (std::int64_t line = 0; line < kPageWords; line += 8)
      for (int page = 0; page < kPages; ++page) {
        const auto* from = reinterpret_cast<const __m256i*>(words + i + page * kPageWords + line);
        sum[page] = _mm256_xor_si256(sum[page], _mm256_xor_si256(_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1)));
      }
  __m256i all = sum[0];
  for (int page = 1; page < kPages; ++page) all = _mm256_add_epi64(all, sum[page]);
  const std::uint64_t rest = i < count ? read(words + i, count - i) : 0;
  return rest + static_cast<std::uint64_t>(_mm256_extract_epi64(all, 0) + _mm256_extract_epi64(all, 3));
}

void copy(std::uint64_t* to, const std::uint64_t* from, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += 16)
    for (int lane = 0; lane < 4; ++lane)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i + 4 * lane),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i + 4 * lane)));
}

void copy_past(std::uint64_t* to, const std::uint64_t* from, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += 16)
    for (int lane = 0; lane < 4; ++lane)
      _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i + 4 * lane),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i + 4 * lane)));
  _mm_sfence();
}

constexpr int kChains = 12;  // 2 pipes x 4 to 5 cycles of latency, and a few to spare

float multiply_add(std::int64_t rounds) {
  __m256 sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = _mm256_set1_ps(0.5F + 0.01F * static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(0.999F), b = _mm256_set1_ps(0.001F);
  for (std::int64_t round = 0; round < rounds; ++round)
    for (auto& each : sum) each = _mm256_fmadd_ps(each, a, b);
  __m256 all = sum[0];
  for (int i = 1; i < kChains; ++i) all = _mm256_add_ps(all, sum[i]);
  return _mm256_cvtss_f32(all);
}

// The tile that float products are made of (kernels/float_tile.hpp), in the small.
float product(const float* a, const float* b, std::int64_t depth) {
  constexpr int kRows = 6;
  __m256 sum[kRows][2];
#pragma GCC unroll 6
  for (auto& row : sum) row[0] = row[1] = _mm256_setzero_ps();
  for (std::int64_t k = 0; k < depth; ++k) {
    const __m256 low = _mm256_loadu_ps(b + 16 * k), high = _mm256_loadu_ps(b + 16 * k + 8);
#pragma GCC unroll 6
    for (int row = 0; row < kRows; ++row) {
      const __m256 x = _mm256_broadcast_ss(a + row * depth + k);
      sum[row][0] = _mm256_fmadd_ps(x, low, sum[row][0]);
      sum[row][1] = _mm256_fmadd_ps(x, high, sum[row][1]);
    }
  }
  __m256 all = _mm256_setzero_ps();
#pragma GCC unroll 6
  for (const auto& row : sum) all = _mm256_add_ps(all, _mm256_add_ps(row[0], row[1]));
  return _mm256_cvtss_f32(all);
}

// The most that AVX2 without VNNI does on int8: four maddubs summed in 16 bits (as low-bit weights
// allow), then one madd and one add into 32 bits.
constexpr int kDots = 8, kDeep = 4;

std::int32_t int8_dot(std::int64_t rounds) {
  __m256i sum[kDots], x[kDeep];
  for (auto& each : sum) each = _mm256_setzero_si256();
  for (int i = 0; i < kDeep; ++i) x[i] = _mm256_set1_epi8(static_cast<char>(3 + i));
  const __m256i one = _mm256_set1_epi16(1);
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (int i = 0; i < kDots; ++i) {
      // The barrier keeps the products inside the loops: their factors never change.
      __asm__ volatile("" : "+x"(x[0]), "+x"(x[1]), "+x"(x[2]), "+x"(x[3]));
      __m256i part = _mm256_maddubs_epi16(x[0], x[1]);
      for (int k = 1; k < kDeep; ++k) part = _mm256_add_epi16(part, _mm256_maddubs_epi16(x[k], x[(k + 1) % kDeep]));
      sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(part, one));
    }
  }
  __m256i all = sum[0];
  for (int i = 1; i < kDots; ++i) all = _mm256_add_epi32(all, sum[i]);
  return _mm256_extract_epi32(all, 0);
}

}  // namespace

const Kernels* avx2_kernels() {
  static const Kernels kernels{&read, &read_pages, &copy, &copy_past, &multiply_add, &product, &int8_dot, kChains * 16, kDots * kDeep * 64};
  return &kernels;
}

}  // namespace netwright::probe
#endif
