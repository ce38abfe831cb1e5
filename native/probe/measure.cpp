#include "probe/measure.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <new>
#include <thread>

namespace netwright::probe {
namespace {

constexpr double kSampleSeconds = 4e-4;  // long against the clock's own cost, short against a time slice
constexpr double kOnProcessor = 0.9;     // a sample counts fully when the thread ran this share of it

double clock_seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// What the machine can do is near its best samples; the very best may be a slip of the clock.
double near_best(std::vector<double>& values) {
  if (values.empty()) return 0.0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() * 19 / 20);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// `step` does `amount` units of work; it is called until the time is over.
double rate_of(const std::function<void()>& step, double amount, double seconds) {
  std::vector<double> whole, all;
  std::int64_t steps = 1;
  step();
  const double end = wall_seconds() + seconds;
  while (wall_seconds() < end || all.size() < 3) {
    const double wall = wall_seconds(), cpu = thread_seconds();
    for (std::int64_t i = 0; i < steps; ++i) step();
    const double used = thread_seconds() - cpu, passed = wall_seconds() - wall;
    if (used < kSampleSeconds && steps < (1 << 30)) {
      steps *= 2;
      if (used < kSampleSeconds / 2) continue;
    }
    if (used <= 0.0) continue;
    const double rate = amount * static_cast<double>(steps) / used;
    all.push_back(rate);
    if (used > kOnProcessor * passed) whole.push_back(rate);
  }
  return near_best(whole.size() >= 3 ? whole : all);
}

std::vector<double> in_threads(int threads, const std::function<double()>& body) {
  std::vector<double> rates(static_cast<std::size_t>(threads), 0.0);
  std::atomic<int> ready{0};
  const auto run = [&](int index) {
    ready.fetch_add(1);
    while (ready.load() < threads) std::this_thread::yield();
    rates[static_cast<std::size_t>(index)] = body();
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(run, i);
  run(0);
  for (auto& each : others) each.join();
  return rates;
}

// Whole cache lines: a vector load that crosses two of them costs twice.
struct Free {
  void operator()(std::uint64_t* words) const { std::free(words); }
};
using Words = std::unique_ptr<std::uint64_t[], Free>;
Words filled(std::int64_t count) {
  Words words(static_cast<std::uint64_t*>(std::aligned_alloc(64, static_cast<std::size_t>(count) * 8)));
  if (words == nullptr) throw std::bad_alloc();
  std::fill_n(words.get(), count, 0x3c3c3c3c3c3c3c3cULL);
  return words;
}
std::int64_t words_in(std::int64_t bytes) { return std::max<std::int64_t>(64, bytes / 8 / 64 * 64); }

std::atomic<std::uint64_t> sink{0};  // keeps the compiler from dropping the work

}  // namespace

double thread_seconds() { return clock_seconds(CLOCK_THREAD_CPUTIME_ID); }
double wall_seconds() { return clock_seconds(CLOCK_MONOTONIC); }

std::vector<double> read_rates(const Kernels& kernels, std::int64_t bytes, int threads, double seconds) {
  const std::int64_t count = words_in(bytes);
  const double amount = 8.0 * static_cast<double>(count);
  return in_threads(threads, [&] {
    const Words words = filled(count);
    const double one = rate_of([&] { sink += kernels.read(words.get(), count); }, amount, seconds / 2);
    return std::max(one, rate_of([&] { sink += kernels.read_pages(words.get(), count); }, amount, seconds / 2));
  });
}

std::vector<double> copy_rates(const Kernels& kernels, std::int64_t bytes, int threads, double seconds) {
  const std::int64_t count = words_in(bytes / 2);
  const double amount = 16.0 * static_cast<double>(count);
  return in_threads(threads, [&] {
    const Words from = filled(count), to = filled(count);
    const double through = rate_of([&] { kernels.copy(to.get(), from.get(), count); }, amount, seconds / 2);
    return std::max(through, rate_of([&] { kernels.copy_past(to.get(), from.get(), count); }, amount, seconds / 2));
  });
}

std::vector<double> float_rates(const Kernels& kernels, int threads, double seconds) {
  constexpr std::int64_t kRounds = 4096;
  const double amount = static_cast<double>(kRounds * kernels.float_operations);
  return in_threads(threads, [&] {
    return rate_of([&] { sink += static_cast<std::uint64_t>(kernels.multiply_add(kRounds)); }, amount, seconds);
  });
}

std::vector<double> int8_rates(const Kernels& kernels, int threads, double seconds) {
  constexpr std::int64_t kRounds = 4096;
  const double amount = static_cast<double>(kRounds * kernels.int8_operations);
  return in_threads(threads, [&] {
    return rate_of([&] { sink += static_cast<std::uint64_t>(kernels.int8_dot(kRounds)); }, amount, seconds);
  });
}

double reference_seconds(const Kernels& kernels) {
  constexpr std::int64_t kDepth = 256, kTiles = 16;
  static const Words words = filled((6 + 16) * kDepth / 2);
  const auto* a = reinterpret_cast<const float*>(words.get());
  sink += static_cast<std::uint64_t>(kernels.product(a, a + 6 * kDepth, kDepth));  // whatever ran before
  const double wall = wall_seconds();
  for (std::int64_t i = 0; i < kTiles; ++i)
    sink += static_cast<std::uint64_t>(kernels.product(a, a + 6 * kDepth, kDepth));
  return wall_seconds() - wall;
}

double stream_seconds(const Kernels& kernels) {
  constexpr std::int64_t kRegionWords = 96 * 1024 * 1024 / 8, kReadWords = 256 * 1024 / 8;
  static const Words words = filled(kRegionWords);
  thread_local std::int64_t at = 0;
  const double wall = wall_seconds();
  sink += kernels.read_pages(words.get() + at, kReadWords);
  const double passed = wall_seconds() - wall;
  at = (at + kReadWords) % kRegionWords;
  return passed;
}

}  // namespace netwright::probe
