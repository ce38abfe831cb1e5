// Threads that spin briefly, then park. One wake a run, not one a task.
#pragma once

#include <atomic>
#include <functional>
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
  void run(const std::function<void(int)>& body);

 private:
  void serve(int index);

  std::vector<std::thread> workers_;
  int active_;
  std::atomic<std::uint32_t> epoch_{0};  // odd: a run is open to helpers
  std::atomic<std::uint32_t> inside_{0};
  std::atomic<bool> stop_{false};
  const std::function<void(int)>* body_ = nullptr;
};

}  // namespace netwright
