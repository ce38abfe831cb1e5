// Memory of sequences in training, kept from one step of training to the next: a fresh page costs more to get from the
// system than to fill, and what is freed at the end of the heap goes back to the system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <unordered_map>

namespace netwright::train {

// Blocks of whole pages, handed out and taken back from any thread. What is kept and what is out are together
// never more than what was out at once before: the longest kept goes first.
class Blocks {
 public:
  Blocks() = default;
  ~Blocks();
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  // At least so many bytes, from the start of a page on; what is in them is not said. Throws std::bad_alloc.
  std::byte* take(std::int64_t bytes);
  void give_back(std::byte* data) noexcept;

  struct Bytes {
    std::int64_t kept, out, most_out;
  };
  Bytes bytes() const;

 private:
  struct Kept {
    std::byte* data;
    std::int64_t bytes;
  };
  void drop(std::int64_t most_bytes) noexcept;

  mutable std::mutex mutex_;
  std::list<Kept> kept_;  // the longest kept first
  std::unordered_map<std::byte*, std::int64_t> out_;
  std::int64_t kept_bytes_ = 0, out_bytes_ = 0, most_out_bytes_ = 0;
};

// The one of this process; it outlives every array.
Blocks& blocks();

}  // namespace netwright::train
