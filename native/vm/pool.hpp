// Threads that spin briefly, then park. One wake a run, not one a task.
// A helper that holds the others up for a good part of its time is sent away for a while: on a busy machine a thread may
// lose its processor in the middle of a piece, and whoever needs the piece waits until it has one again.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace netwright {

// Tells the processor that this is a spin.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Waits until `word` is at least `target`: spins for about 20 us, then sleeps. Writers notify.
void wait_until(const std::atomic<std::uint32_t>& word, std::uint32_t target);

class Pool {
 public:
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return active_; }
  int capacity() const { return static_cast<int>(workers_.size()) + 1; }
  // At most the number it was made with.
  void set_threads(int threads);

  // Calls body(0) here and body(1..threads-1) elsewhere; returns when the calls that began have ended.
  // A helper that has not woken by the time body(0) returns never begins: it cannot hold up the run.
  // Helpers that come back during a run begin then: body may be called again on a thread where it has ended.
  void run(const std::function<void(int)>& body);

  // A helper takes pieces of `task` from now on (or of none). It must ask `away` before, and leave if it is.
  static constexpr std::uint32_t kNoTask = UINT32_MAX;
  void takes(int thread, std::uint32_t task) { helpers_[index(thread)].task.store(task, std::memory_order_relaxed); }
  bool away(int thread) const { return helpers_[index(thread)].away.load(std::memory_order_relaxed); }

  // For the thread that runs: as wait_until; sends helpers away that take pieces of `task` and end them too late,
  // a piece being known to take so long (0: not known, and no one is late).
  void wait_for(std::uint32_t task, const std::atomic<std::uint32_t>& word, std::uint32_t target, std::int64_t piece_ns);
  // For the thread that runs, between tasks: calls helpers back whose time has come.
  void call_back();

 private:
  struct alignas(64) Helper {
    std::atomic<std::uint32_t> task{kNoTask};
    std::atomic<bool> away{false};
    // Used by the thread that runs only.
    std::int64_t back_ns = 0, rest_ns = 0;     // when it comes or came back, after how long a rest
    std::int64_t since_ns = 0, late_ns = 0;    // of runs: from when on, and for how long, it was waited for too long
  };

  static std::size_t index(int thread) { return static_cast<std::size_t>(thread); }
  void serve(int thread);
  template <class Is>
  std::uint64_t where(Is is) const;
  void send_away(std::uint64_t late, std::int64_t begun_ns, std::int64_t allowed_ns);
  void was_late(Helper& helper, std::int64_t late_ns, std::int64_t now_ns);
  bool anyone_back();

  std::vector<std::thread> workers_;
  std::unique_ptr<Helper[]> helpers_;  // one a thread; the first is not used
  int active_;
  int num_away_ = 0;
  std::int64_t runs_ns_ = 0, begun_ns_ = 0;  // all runs that have ended; the start of this one
  std::atomic<std::uint32_t> epoch_{0};  // odd: a run is open to helpers
  std::atomic<std::uint32_t> inside_{0};
  std::atomic<bool> stop_{false};
  const std::function<void(int)>* body_ = nullptr;
};

}  // namespace netwright
