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
  static const Kernels kernels{&read, &copy, &multiply_add, &int8_dot, 2 * kLanes, 2 * kLanes};
  return kernels;
}

#if !defined(__x86_64__)
const Kernels* avx2_kernels() { return nullptr; }
#endif

}  // namespace netwright::probe
