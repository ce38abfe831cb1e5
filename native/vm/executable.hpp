// A loaded program: verified once, then run any number of times without allocating.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vm/opcode.hpp"
#include "vm/pages.hpp"
#include "vm/pool.hpp"
#include "vm/tables.hpp"

namespace netwright {

struct Tables {
  std::span<const std::int64_t> words;
  std::span<const PatchRow> patches;
  std::span<const OperandRow> operands;
  std::span<const TaskRow> tasks;
  std::span<const std::uint32_t> waits;
};

struct ArenaSpec {
  ArenaKind kind;
  std::int64_t size_bytes;
  std::byte* data;  // of file and constant arenas; the others are allocated here
};

struct EntrySpec {
  std::uint32_t first_task, num_tasks;
  std::vector<std::int64_t> low, high;  // one a symbol
  std::int64_t limit;                   // the most that the symbols may add up to
  std::int64_t repeats = 1;             // a run does the tasks so often, one repetition after another
};

// Of a repeated entry: the start in the first repetition, and from it the sum over all.
struct TaskTime {
  std::int64_t start_ns, end_ns;
};

class Executable {
 public:
  // Throws std::invalid_argument with the place of the first thing that is wrong.
  Executable(const Tables& tables, std::span<const ArenaSpec> arenas, std::span<const EntrySpec> entries,
             int threads, bool use_avx2);

  // Throws std::out_of_range when the symbols are outside the entry's bounds, std::invalid_argument when a task
  // that is legal at the bounds is not legal between them.
  void run(int entry, std::span<const std::int64_t> symbols, bool trace);
  // Traced, on the calling thread, tasks [first, last) only: a run in slices, with something else between them.
  void run_slice(int entry, std::span<const std::int64_t> symbols, std::size_t first, std::size_t last);
  void reset_state();

  std::byte* arena(int index) const { return arenas_[static_cast<std::size_t>(index)].data; }
  std::int64_t arena_bytes(int index) const { return arenas_[static_cast<std::size_t>(index)].size_bytes; }
  int num_arenas() const { return static_cast<int>(arenas_.size()); }
  bool arena_writable(int index) const { return writable(arenas_[static_cast<std::size_t>(index)].kind); }
  std::int64_t workspace_bytes() const { return workspace_bytes_; }
  std::span<const TaskTime> times() const { return times_; }
  void set_threads(int threads) { pool_.set_threads(threads); }

 private:
  struct Task {
    const Opcode* opcode;
    Kernel kernel;
    Call call;
    std::uint32_t first_wait, num_waits, parts;
  };
  struct Target {  // one word that symbols change, where it is used
    std::int64_t* value;
    std::int64_t constant;
    std::uint32_t first_term, num_terms;
  };
  struct Entry {
    EntrySpec spec;
    std::vector<Task> tasks;
    std::vector<Operand> operands;
    std::vector<std::int64_t> offsets;  // of each operand, before its arena's base is added
    std::vector<std::int64_t> parameters;
    std::vector<std::uint32_t> moving;  // operands whose offset depends on symbols
    std::vector<Target> targets;
    std::vector<std::uint32_t> symbolic;  // tasks that symbols change: verified again before each run
    std::vector<PatchRow> terms;
    std::vector<std::uint16_t> arena_of;
    std::vector<std::uint32_t> waits;
    // A piece of each task, as whoever last took some saw it; 0: not known yet.
    std::unique_ptr<std::atomic<std::int64_t>[]> piece_ns;
  };

  void build_entry(const Tables& tables, const EntrySpec& spec, int index, bool use_avx2);
  void verify_entry(Entry& entry, int index);
  // The bytes of workspace that the task needs at the symbols last resolved; throws when it may not run there.
  std::int64_t verify_task(const Entry& entry, int index, std::size_t t) const;
  void resolve(Entry& entry, std::span<const std::int64_t> symbols);
  void work(Entry& entry, int thread);
  void work_alone(Entry& entry, std::size_t first, std::size_t last);
  void note(std::size_t t, std::int64_t began_ns, std::int64_t ended_ns);
  Entry& prepared(int index, std::span<const std::int64_t> symbols);  // checked and resolved; throws as run does
  // Pieces of a task that is ready, until none is left.
  void claim(Entry& entry, std::uint32_t t, std::byte* workspace, std::uint32_t repeat);

  std::vector<ArenaSpec> arenas_;
  std::vector<std::unique_ptr<Pages>> pages_;
  std::vector<Entry> entries_;
  std::int64_t workspace_bytes_ = 0;
  std::unique_ptr<Pages> workspace_;
  std::vector<TaskTime> times_;
  std::unique_ptr<std::atomic<std::uint32_t>[]> claimed_, finished_;  // pieces since the run began
  std::vector<std::int64_t> began_ns_;  // of each task, in the repetition that is on
  bool trace_ = false;
  Pool pool_;
};

}  // namespace netwright
