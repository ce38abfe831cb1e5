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
  std::uint64_t (*read_pages)(const std::uint64_t* words, std::int64_t count);  // eight pages in turn
  void (*copy)(std::uint64_t* to, const std::uint64_t* from, std::int64_t count);
  void (*copy_past)(std::uint64_t* to, const std::uint64_t* from, std::int64_t count);  // past the caches, if it can
  float (*multiply_add)(std::int64_t rounds);   // kFloatOperations fp32 operations a round
  float (*product)(const float* a, const float* b, std::int64_t depth);  // 6 rows of a times 16 columns of b
  std::int32_t (*int8_dot)(std::int64_t rounds);  // kInt8Operations int8 operations a round
  std::int64_t float_operations, int8_operations;
};
const Kernels& scalar_kernels();
const Kernels* avx2_kernels();  // nullptr: not built for this processor family

// Per thread: units (bytes or operations) per CPU second, the 95th percentile of its samples. Every
// thread works on memory of its own; all of them work until `seconds` of wall time have gone by. Of reading and of
// copying it is the best of two patterns: a prefetcher follows eight pages faster than one.
std::vector<double> read_rates(const Kernels& kernels, std::int64_t bytes, int threads, double seconds);
std::vector<double> copy_rates(const Kernels& kernels, std::int64_t bytes, int threads, double seconds);
std::vector<double> float_rates(const Kernels& kernels, int threads, double seconds);
std::vector<double> int8_rates(const Kernels& kernels, int threads, double seconds);

// Seconds of a fixed piece of work: a small matrix product out of the first-level cache, some 10 us. It keeps both
// multipliers and nearly all of the front end busy, as the kernels do, so it feels another guest on the same core as
// they do; a chain of multiply-adds in registers alone would leave room for that guest and feel a third of it.
double reference_seconds(const Kernels& kernels);

// Seconds to read the next quarter MiB of a region that no cache holds: whether the memory is left alone.
double stream_seconds(const Kernels& kernels);

}  // namespace netwright::probe
