// Zeroed pages of its own, given back on destruction.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace netwright {

class Pages {
 public:
  explicit Pages(std::int64_t size_bytes) : size_(size_bytes) {
    if (size_bytes == 0) return;
    void* mapped = mmap(nullptr, static_cast<std::size_t>(size_bytes), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(mapped);
  }
  ~Pages() {
    if (data_ != nullptr) munmap(data_, static_cast<std::size_t>(size_));
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  std::byte* data() const { return data_; }
  std::int64_t size() const { return size_; }
  void zero() {
    if (data_ != nullptr) madvise(data_, static_cast<std::size_t>(size_), MADV_DONTNEED);
  }

 private:
  std::byte* data_ = nullptr;
  std::int64_t size_;
};

}  // namespace netwright
