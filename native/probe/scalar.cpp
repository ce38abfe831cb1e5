// The plain forms: what the probe measures where there is no vector form.
#include <cstring>

#include "probe/measure.hpp"

namespace netwright::probe {
namespace {

std::uint64_t read(const std::uint64_t* words, std::int64_t count) {
  std::uint64_t sum[8] = {};
  for (std::int64_t i = 0; i < count; i += 8)
    for (int lane = 0; lane < 8; ++lane) sum[lane] += words[i + lane];
  std::uint64_t all = 0;
  for (const std::uint64_t each : sum) all += each;
  return all;
}

// A line of each of eight pages in turn, then the next; what is left over one after the other.
std::uint64_t read_pages(const std::uint64_t* words, std::int64_t count) {
  constexpr std::int64_t kPageWords = 512, kPages = 8;
  std::uint64_t sum[kPages] = {};
  std::int64_t i = 0;
  for (; i + kPages * kPageWords <= count; i += kPages * kPageWords)
    for (std::int64_t line = 0; line < kPageWords; line += 8)
      for (std::int64_t page = 0; page < kPages; ++page)
        for (std::int64_t lane = 0; lane < 8; ++lane) sum[page] += words[i + page * kPageWords + line + lane];
  std::uint64_t all = i < count ? read(words + i, count - i) : 0;
  for (const std::uint64_t each : sum) all += each;
  return all;
}

void copy(std::uint64_t* to, const std::uint64_t* from, std::int64_t count) {
  std::memcpy(to, from, static_cast<std::size_t>(count) * 8);
}

constexpr int kLanes = 32;

float multiply_add(std::int64_t rounds) {
  float sum[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) sum[lane] = 0.5F + 0.001F * static_cast<float>(lane);
  for (std::int64_t round = 0; round < rounds; ++round)
    for (int lane = 0; lane < kLanes; ++lane) sum[lane] = sum[lane] * 0.999F + 0.001F;
  float all = 0;
  for (const float each : sum) all += each;
  return all;
}

float product(const float* a, const float* b, std::int64_t depth) {
  float sum[6][16] = {};
  for (std::int64_t k = 0; k < depth; ++k)
    for (int row = 0; row < 6; ++row)
      for (int column = 0; column < 16; ++column) sum[row][column] += a[row * depth + k] * b[16 * k + column];
  float all = 0;
  for (const auto& row : sum)
    for (const float each : row) all += each;
  return all;
}

std::int32_t int8_dot(std::int64_t rounds) {
  volatile std::int8_t seed = 3;
  std::int8_t a[kLanes];
  std::int32_t sum[kLanes] = {};
  for (int lane = 0; lane < kLanes; ++lane) a[lane] = static_cast<std::int8_t>(seed + lane);
  for (std::int64_t round = 0; round < rounds; ++round)
    for (int lane = 0; lane < kLanes; ++lane) sum[lane] += a[lane] * static_cast<std::int8_t>(a[lane] ^ round);
  std::int32_t all = 0;
  for (const std::int32_t each : sum) all += each & 0xff;
  return all;
}

}  // namespace

const Kernels& scalar_kernels() {
  static const Kernels kernels{&read, &read_pages, &copy, &copy, &multiply_add, &product, &int8_dot, 2 * kLanes, 2 * kLanes};
  return kernels;
}

#if !defined(__x86_64__)
const Kernels* avx2_kernels() { return nullptr; }
#endif

}  // namespace netwright::probe
