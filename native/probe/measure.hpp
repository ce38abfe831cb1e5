// What the machine at hand can do: bandwidth by working set, arithmetic peaks, all by CPU time.
#pragma once

#include <cstdint>
#include <vector>

namespace netwright::probe {

double thread_seconds();  // CPU time of this thread
double wall_seconds();

// The kernels: each does a fixed amount of work and returns something that depends on all of it.
struct Kernels {
  std::uint64_t (*read)(const std::uint64_t* words, std::int64_t count);      // count a multiple of 64
  void (*copy)(std::uint64_t* to, const std::uint64_t* from, std::int64_t count);
  float (*multiply_add)(std::int64_t rounds);   // kFloatOperations fp32 operations a round
  std::int32_t (*int8_dot)(std::int64_t rounds);  // kInt8Operations int8 operations a round
  std::int64_t float_operations, int8_operations;
};
const Kernels& scalar_kernels();
const Kernels* avx2_kernels();  // nullptr: not built for this processor family

// Per thread: units (bytes or operations) per CPU second, the 95th percentile of its samples. Every
// thread works on memory of its own; all of them work until `seconds` of wall time have gone by.
std::vector<double> read_rates(const Kernels& kernels, std::int64_t bytes, int threads, double seconds);
std::vector<double> copy_rates(const Kernels& kernels, std::int64_t bytes, int threads, double seconds);
std::vector<double> float_rates(const Kernels& kernels, int threads, double seconds);
std::vector<double> int8_rates(const Kernels& kernels, int threads, double seconds);

// Seconds of a fixed piece of work, about 15 us of arithmetic and of reading a second-level cache. Beside a
// measurement it tells whether the processor was left alone: another program, or another guest on the
// same core, makes both slower.
double reference_seconds(const Kernels& kernels);

}  // namespace netwright::probe
