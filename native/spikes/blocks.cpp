#include "spikes/blocks.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace netwright::train {
namespace {

constexpr std::int64_t kPage = 4096;

std::byte* fresh(std::int64_t bytes) {
  void* data = std::aligned_alloc(kPage, static_cast<std::size_t>(bytes));
  if (data == nullptr) throw std::bad_alloc();
  return static_cast<std::byte*>(data);
}

}  // namespace

Blocks::~Blocks() { drop(0); }

std::byte* Blocks::take(std::int64_t bytes) {
  const std::int64_t whole = std::max<std::int64_t>((bytes + kPage - 1) / kPage, 1) * kPage;
  const std::lock_guard lock(mutex_);
  std::byte* data = nullptr;
  const auto fits = [&](const Kept& each) { return each.bytes == whole; };
  // The one that was given back last is the nearest.
  if (const auto found = std::find_if(kept_.rbegin(), kept_.rend(), fits); found != kept_.rend()) {
    data = found->data;
    kept_bytes_ -= whole;
    kept_.erase(std::next(found).base());
  } else {
    most_out_bytes_ = std::max(most_out_bytes_, out_bytes_ + whole);
    drop(most_out_bytes_ - out_bytes_ - whole);
    data = fresh(whole);
  }
  out_.emplace(data, whole);
  out_bytes_ += whole;
  most_out_bytes_ = std::max(most_out_bytes_, out_bytes_);
  return data;
}

void Blocks::give_back(std::byte* data) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = out_.find(data);
  if (found == out_.end()) return;
  const std::int64_t bytes = found->second;
  out_.erase(found);
  out_bytes_ -= bytes;
  kept_.push_back({data, bytes});
  kept_bytes_ += bytes;
  drop(most_out_bytes_ - out_bytes_);
}

Blocks::Bytes Blocks::bytes() const {
  const std::lock_guard lock(mutex_);
  return {kept_bytes_, out_bytes_, most_out_bytes_};
}

void Blocks::drop(std::int64_t most_bytes) noexcept {
  while (!kept_.empty() && kept_bytes_ > most_bytes) {
    std::free(kept_.front().data);
    kept_bytes_ -= kept_.front().bytes;
    kept_.pop_front();
  }
}

Blocks& blocks() {
  static Blocks* const ours = new Blocks;  // arrays may be given back after statics are gone
  return *ours;
}

}  // namespace netwright::train
