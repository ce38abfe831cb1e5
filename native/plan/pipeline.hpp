// Pipeline schedules of forward (F), input gradient (B) and weight gradient (W) passes: replay and search.
#pragma once

#include <cstdint>
#include <vector>

namespace netwright::plan {

// Chunk c of the network lies on worker place[c]; seconds and memory are those of one micro-batch.
// F takes memory[c]; B gives back all but kept[c]; W gives back kept[c].
struct Pipeline {
  std::int32_t workers, microbatches;
  std::vector<std::int32_t> place;                 // by chunk, in model order
  std::vector<double> forward, input, weight;      // seconds, by chunk
  std::vector<double> memory, kept;                // by chunk
  std::vector<double> transfer;                    // seconds of a message, by sending worker
  std::vector<double> limit;                       // of memory, by worker

  std::int32_t chunks() const { return static_cast<std::int32_t>(place.size()); }
  std::int32_t passes() const { return 3 * chunks() * microbatches; }
};

// Pass number: (kind * chunks + chunk) * microbatches + microbatch; kind 0 F, 1 B, 2 W.
using Orders = std::vector<std::vector<std::int32_t>>;

struct Found {
  Orders orders;
  double span = 0;  // the longest time of one worker from its first pass to the end of its last
  std::int64_t tries = 0;
};

// The longest span when every pass starts as early as it can; infinite when workers wait in a circle.
double longest_span(const Pipeline& pipeline, const Orders& orders);

// What is wrong with a pipeline, or with orders for it (every pass once, on its worker); nullptr: nothing.
const char* check(const Pipeline& pipeline);
const char* check(const Pipeline& pipeline, const Orders& orders);

// Greedy and patterned schedules, then random changes of their rules and of the best order, by at most about
// `passes` replayed passes. `starts` are orders to begin from. Empty orders: nothing fits the memory.
Found search(const Pipeline& pipeline, const std::vector<Orders>& starts, std::int64_t passes, std::uint64_t seed);

}  // namespace netwright::plan
