#include "vm/pool.hpp"

#include <algorithm>

namespace netwright {

namespace {
// A pause is about 40 cycles on the machines that we know: this is some 20 us.
constexpr int kSpins = 1500;
}  // namespace

void wait_until(const std::atomic<std::uint32_t>& word, std::uint32_t target) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (word.load(std::memory_order_acquire) >= target) return;
    relax();
  }
  for (std::uint32_t seen = word.load(std::memory_order_acquire); seen < target;
       seen = word.load(std::memory_order_acquire))
    word.wait(seen, std::memory_order_acquire);
}

Pool::Pool(int threads) : active_(std::max(1, threads)) {
  for (int index = 1; index < active_; ++index) workers_.emplace_back([this, index] { serve(index); });
}

Pool::~Pool() {
  stop_.store(true);
  epoch_.fetch_add(2);
  epoch_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Pool::set_threads(int threads) { active_ = std::clamp(threads, 1, capacity()); }

void Pool::run(const std::function<void(int)>& body) {
  if (active_ == 1) {
    body(0);
    return;
  }
  body_ = &body;
  epoch_.fetch_add(1);
  epoch_.notify_all();
  body(0);
  epoch_.fetch_add(1);
  // Helpers that are inside have nothing left to claim: they leave at once.
  for (int spin = 0; inside_.load() != 0; ++spin) spin < kSpins ? relax() : std::this_thread::yield();
}

void Pool::serve(int index) {
  std::uint32_t seen = 0;
  while (true) {
    for (int spin = 0; spin < kSpins && epoch_.load(std::memory_order_acquire) == seen; ++spin) relax();
    epoch_.wait(seen, std::memory_order_acquire);
    if (stop_.load()) return;
    inside_.fetch_add(1);
    const std::uint32_t now = epoch_.load();
    if ((now & 1) != 0 && now != seen && index < active_) (*body_)(index);
    inside_.fetch_sub(1);
    seen = now;
  }
}

}  // namespace netwright
