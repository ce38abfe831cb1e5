#include "vm/pool.hpp"

#include <algorithm>
#include <chrono>

namespace netwright {

namespace {
// A pause is about 40 cycles on the machines that we know: this is some 20 us.
constexpr int kSpins = 1500;
// A thread that has lost its processor is late by a time slice of the system, some milliseconds, whatever its piece
// takes; a slower core may take this many times as long for a piece as whoever measured it.
constexpr std::int64_t kLate = 500'000, kSlower = 4;
// A helper that works gains more than it loses while it is late for less than this part of the time (with s times the
// speed of one thread, less than 1 - 1 / s), over so much time.
constexpr std::int64_t kLatePart = 4, kRemembered = 400'000'000;
// The first rest; so many times as long whenever a helper is late again soon, so that waiting stays a small share.
constexpr std::int64_t kShortestRest = 20'000'000, kLongestRest = 1'000'000'000, kLonger = 4;
// The task of a helper that is inside a run and takes nothing yet.
constexpr std::uint32_t kInside = Pool::kNoTask - 1;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool spin_until(const std::atomic<std::uint32_t>& word, std::uint32_t target) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (word.load(std::memory_order_acquire) >= target) return true;
    relax();
  }
  return false;
}

void sleep_until(const std::atomic<std::uint32_t>& word, std::uint32_t target) {
  for (std::uint32_t seen = word.load(std::memory_order_acquire); seen < target;
       seen = word.load(std::memory_order_acquire))
    word.wait(seen, std::memory_order_acquire);
}
}  // namespace

void wait_until(const std::atomic<std::uint32_t>& word, std::uint32_t target) {
  if (!spin_until(word, target)) sleep_until(word, target);
}

Pool::Pool(int threads)
    : helpers_(std::make_unique<Helper[]>(static_cast<std::size_t>(std::max(1, threads)))), active_(std::max(1, threads)) {
  for (int thread = 1; thread < active_; ++thread) workers_.emplace_back([this, thread] { serve(thread); });
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
  anyone_back();
  body_ = &body;
  begun_ns_ = now_ns();
  epoch_.fetch_add(1);
  if (num_away_ < active_ - 1) epoch_.notify_all();
  body(0);
  epoch_.fetch_add(1);
  // Helpers that are inside have nothing left to claim: they leave at once, unless they have lost their processor.
  for (int spin = 0; inside_.load() != 0 && spin < kSpins; ++spin) relax();
  if (inside_.load() != 0) {
    const std::int64_t begun = now_ns();
    const std::uint64_t late = where([](std::uint32_t task) { return task != kNoTask; });
    while (inside_.load() != 0) std::this_thread::yield();
    send_away(late, begun, kLate);
  }
  runs_ns_ += now_ns() - begun_ns_;
}

void Pool::wait_for(std::uint32_t task, const std::atomic<std::uint32_t>& word, std::uint32_t target,
                    std::int64_t piece_ns) {
  if (spin_until(word, target)) return;
  const std::int64_t begun = now_ns();
  const std::uint64_t late = where([task](std::uint32_t taken) { return taken == task; });
  sleep_until(word, target);
  if (piece_ns > 0) send_away(late, begun, kLate + kSlower * piece_ns);
}

// A bit for each helper whose task `is` so. Of the first 63; more threads do not hang on one of them for long.
template <class Is>
std::uint64_t Pool::where(Is is) const {
  std::uint64_t found = 0;
  for (int thread = 1; thread < std::min(active_, 64); ++thread)
    if (is(helpers_[index(thread)].task.load(std::memory_order_relaxed))) found |= std::uint64_t{1} << thread;
  return found;
}

// These helpers, when they were waited for since `begun` and that is longer ago than is allowed.
void Pool::send_away(std::uint64_t late, std::int64_t begun, std::int64_t allowed) {
  const std::int64_t now = now_ns();
  if (now - begun < allowed) return;
  for (int thread = 1; thread < std::min(active_, 64); ++thread)
    if ((late >> thread & 1) != 0) was_late(helpers_[index(thread)], now - begun, now);
}

void Pool::was_late(Helper& helper, std::int64_t late, std::int64_t now) {
  if (helper.away.load(std::memory_order_relaxed)) return;
  const std::int64_t run = runs_ns_ + now - begun_ns_;
  helper.late_ns += late;
  if (kLatePart * helper.late_ns <= run - helper.since_ns) {
    if (run - helper.since_ns > kRemembered) helper.since_ns += (run - helper.since_ns) / 2, helper.late_ns /= 2;
    return;
  }
  helper.since_ns = run, helper.late_ns = 0;
  // Late again before it has worked as long as it rested, twice over: the processor is taken.
  const bool again = helper.rest_ns != 0 && now - helper.back_ns < 2 * helper.rest_ns;
  helper.rest_ns = again ? std::min(kLonger * helper.rest_ns, kLongestRest) : kShortestRest;
  helper.back_ns = now + helper.rest_ns;
  helper.away.store(true, std::memory_order_relaxed);
  ++num_away_;
}

// Whether a helper is away no longer.
bool Pool::anyone_back() {
  if (num_away_ == 0) return false;
  const std::int64_t now = now_ns();
  const int before = num_away_;
  for (int thread = 1; thread < capacity(); ++thread) {
    Helper& helper = helpers_[index(thread)];
    if (!helper.away.load(std::memory_order_relaxed) || now < helper.back_ns) continue;
    helper.away.store(false, std::memory_order_relaxed);
    --num_away_;
  }
  return num_away_ < before;
}

void Pool::call_back() {
  if (!anyone_back()) return;
  epoch_.fetch_add(2);  // stays open, and is another run to whoever has left this one
  epoch_.notify_all();
}

void Pool::serve(int thread) {
  std::uint32_t seen = 0;
  while (true) {
    for (int spin = 0; spin < kSpins && epoch_.load(std::memory_order_acquire) == seen; ++spin) relax();
    epoch_.wait(seen, std::memory_order_acquire);
    if (stop_.load()) return;
    inside_.fetch_add(1);
    const std::uint32_t now = epoch_.load();
    if ((now & 1) != 0 && now != seen && thread < active_ && !away(thread)) {
      takes(thread, kInside);
      (*body_)(thread);
      takes(thread, kNoTask);
    }
    inside_.fetch_sub(1);
    seen = now;
  }
}

}  // namespace netwright
