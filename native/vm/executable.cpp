#include "vm/executable.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "vm/format.hpp"
#include "vm/registry.hpp"
#include "vm/verify.hpp"

namespace netwright {

namespace {

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::invalid_argument wrong(int entry, std::size_t task, const char* opcode, const std::string& what) {
  return std::invalid_argument("entry " + std::to_string(entry) + ", task " + std::to_string(task) + " (" + opcode +
                               "): " + what);
}

// As integers: an offset is only known to lie inside its arena after verification.
std::byte* at(std::byte* base, std::int64_t offset) {
  return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(base) + static_cast<std::uintptr_t>(offset));
}

constexpr int kMaxThreads = 1024;
constexpr std::int64_t kMaxEntrySymbol = std::int64_t{1} << 31;
constexpr std::int64_t kMaxRepeats = std::int64_t{1} << 30;
// Pieces of one task in one run are counted in 32 bits.
constexpr std::uint64_t kMaxPieces = std::uint64_t{1} << 31;

// Beyond this a word that symbols change could overflow while it is resolved.
constexpr __int128 kMaxResolved = __int128{1} << 62;

}  // namespace

Executable::Executable(const Tables& tables, std::span<const ArenaSpec> arenas, std::span<const EntrySpec> entries,
                       int threads, bool use_avx2)
    : arenas_(arenas.begin(), arenas.end()), pool_(std::min(threads, kMaxThreads)) {
  if (arenas_.size() >= kAbsent) throw std::invalid_argument("too many arenas");
  for (auto& arena : arenas_) {
    if (arena.size_bytes < 0 || arena.size_bytes > (std::int64_t{1} << 42))
      throw std::invalid_argument("an arena's size is out of range: " + std::to_string(arena.size_bytes));
    if (!writable(arena.kind)) continue;
    pages_.push_back(std::make_unique<Pages>(arena.size_bytes));
    arena.data = pages_.back()->data();
  }
  verify_tables(tables, arenas_.size());
  std::size_t most_tasks = 0, num_tasks = 0;
  for (const EntrySpec& entry : entries) num_tasks += entry.num_tasks;
  if (num_tasks > tables.tasks.size()) throw std::invalid_argument("entries share tasks");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    build_entry(tables, entries[i], static_cast<int>(i), use_avx2);
    verify_entry(entries_.back(), static_cast<int>(i));
    most_tasks = std::max(most_tasks, entries_.back().tasks.size());
  }
  workspace_bytes_ = (workspace_bytes_ + 63) / 64 * 64;
  workspace_ = std::make_unique<Pages>(workspace_bytes_ * pool_.capacity());
  times_.resize(most_tasks);
  began_ns_.resize(most_tasks);
  claimed_ = std::make_unique<std::atomic<std::uint32_t>[]>(most_tasks);
  finished_ = std::make_unique<std::atomic<std::uint32_t>[]>(most_tasks);
}

void Executable::build_entry(const Tables& tables, const EntrySpec& spec, int index, bool use_avx2) {
  if (std::size_t{spec.first_task} + spec.num_tasks > tables.tasks.size())
    throw std::invalid_argument("entry " + std::to_string(index) + " points outside the tasks");
  if (spec.low.size() != spec.high.size() || spec.low.size() > kMaxSymbols)
    throw std::invalid_argument("entry " + std::to_string(index) + ": bounds of symbols are not pairs");
  if (spec.limit < 0 || spec.limit > kMaxSymbols * kMaxEntrySymbol)
    throw std::invalid_argument("entry " + std::to_string(index) + ": the limit of its symbols is out of range");
  for (std::size_t i = 0; i < spec.low.size(); ++i)
    if (spec.low[i] < 0 || spec.low[i] > spec.high[i] || spec.high[i] > kMaxEntrySymbol)
      throw std::invalid_argument("entry " + std::to_string(index) + ": bounds of a symbol are out of order");
  if (spec.repeats < 1 || spec.repeats > kMaxRepeats)
    throw std::invalid_argument("entry " + std::to_string(index) + ": its repeats are out of range");

  Entry& entry = entries_.emplace_back();
  entry.spec = spec;
  const auto rows = tables.tasks.subspan(spec.first_task, spec.num_tasks);
  std::size_t num_operands = 0, num_parameters = 0;
  for (const TaskRow& row : rows) num_operands += row.num_operands, num_parameters += row.num_parameters;
  // Reserved at once: tasks and targets keep pointers into these.
  entry.operands.resize(num_operands);
  entry.offsets.resize(num_operands);
  entry.arena_of.resize(num_operands);
  entry.parameters.resize(num_parameters);

  const auto place = [&](std::int64_t* value, std::uint32_t word) {
    *value = tables.words[word];
    const auto [first, last] = std::ranges::equal_range(tables.patches, word, {}, &PatchRow::word);
    if (first == last) return false;
    Target target{value, *value, static_cast<std::uint32_t>(entry.terms.size()), 0};
    __int128 largest = *value < 0 ? -static_cast<__int128>(*value) : *value;
    bool moves = false;
    for (auto it = first; it != last; ++it, ++target.num_terms) {
      if (it->symbol >= spec.low.size())
        throw std::invalid_argument("entry " + std::to_string(index) + ": a size depends on an unknown symbol");
      largest += static_cast<__int128>(std::abs(it->coefficient)) * spec.high[it->symbol];
      moves |= spec.low[it->symbol] != spec.high[it->symbol];
      entry.terms.push_back(*it);
    }
    if (largest > kMaxResolved)
      throw std::invalid_argument("entry " + std::to_string(index) + ": a size grows out of range with its symbols");
    if (!moves) {  // one value in this entry: resolved here, for good
      for (auto it = first; it != last; ++it) *value += it->coefficient * spec.low[it->symbol];
      entry.terms.resize(target.first_term);
      return false;
    }
    entry.targets.push_back(target);
    return true;
  };

  std::size_t next_operand = 0, next_parameter = 0;
  for (std::size_t t = 0; t < rows.size(); ++t) {
    const TaskRow& row = rows[t];
    const Opcode* opcode = find_opcode(row.opcode);
    if (opcode == nullptr)
      throw wrong(index, t, "?", "opcode " + std::to_string(row.opcode) + " is not known to this build");
    const std::size_t targets_before = entry.targets.size();
    Task task{};
    task.opcode = opcode;
    task.kernel = use_avx2 && opcode->avx2 != nullptr ? opcode->avx2 : opcode->scalar;
    task.parts = row.parts;
    if (std::uint64_t{row.parts} * static_cast<std::uint64_t>(spec.repeats) > kMaxPieces)
      throw wrong(index, t, opcode->name, "has too many parts for so many repeats");
    task.first_wait = static_cast<std::uint32_t>(entry.waits.size());
    task.num_waits = row.num_waits;
    for (std::uint32_t w = 0; w < row.num_waits; ++w) {
      const std::uint32_t earlier = tables.waits[row.first_wait + w];
      if (earlier >= t) throw wrong(index, t, opcode->name, "waits for a task that does not stand before it");
      entry.waits.push_back(earlier);
    }
    task.call.operand = entry.operands.data() + next_operand;
    task.call.num_operands = row.num_operands;
    for (std::uint16_t o = 0; o < row.num_operands; ++o, ++next_operand) {
      const OperandRow& source = tables.operands[row.first_operand + o];
      Operand& operand = entry.operands[next_operand];
      entry.arena_of[next_operand] = source.arena;
      operand = Operand{};
      if (source.arena == kAbsent) continue;
      if (o < opcode->num_written && !writable(arenas_[source.arena].kind))
        throw wrong(index, t, opcode->name, "writes to a read-only arena");
      if (o < 32 && (opcode->trusted >> o & 1) != 0 && writable(arenas_[source.arena].kind))
        throw wrong(index, t, opcode->name, "trusts indices in memory that tasks may write");
      operand.format = static_cast<Format>(source.format);
      operand.rank = source.rank;
      if (place(&entry.offsets[next_operand], source.first_word))
        entry.moving.push_back(static_cast<std::uint32_t>(next_operand));
      for (int d = 0; d < source.rank; ++d) {
        place(&operand.shape[d], source.first_word + 1 + static_cast<std::uint32_t>(d));
        if (place(&operand.stride[d], source.first_word + 1 + source.rank + static_cast<std::uint32_t>(d)))
          throw wrong(index, t, opcode->name, "a stride depends on a symbol");
      }
      operand.data = at(arenas_[source.arena].data, entry.offsets[next_operand]);
    }
    task.call.parameter = entry.parameters.data() + next_parameter;
    task.call.num_parameters = row.num_parameters;
    for (std::uint16_t p = 0; p < row.num_parameters; ++p, ++next_parameter)
      place(&entry.parameters[next_parameter], row.first_parameter + p);
    if (entry.targets.size() != targets_before) entry.symbolic.push_back(static_cast<std::uint32_t>(t));
    entry.tasks.push_back(task);
  }
  entry.piece_ns = std::make_unique<std::atomic<std::int64_t>[]>(entry.tasks.size());
}

void Executable::verify_entry(Entry& entry, int index) {
  const auto corners = vertices(entry.spec);
  if (corners.empty())
    throw std::invalid_argument("entry " + std::to_string(index) + ": no symbol values satisfy its bounds");
  for (const auto& corner : corners) {
    resolve(entry, corner);
    for (std::size_t t = 0; t < entry.tasks.size(); ++t)
      workspace_bytes_ = std::max(workspace_bytes_, verify_task(entry, index, t));
  }
}

std::int64_t Executable::verify_task(const Entry& entry, int index, std::size_t t) const {
  const Opcode& opcode = *entry.tasks[t].opcode;
  Call call = entry.tasks[t].call;
  call.parts = entry.tasks[t].parts;
  for (int o = 0; o < call.num_operands; ++o) {
    const auto flat = static_cast<std::size_t>(call.operand + o - entry.operands.data());
    if (entry.arena_of[flat] == kAbsent) continue;
    const auto& arena = arenas_[entry.arena_of[flat]];
    if (const char* what = outside_of_arena(call.operand[o], entry.offsets[flat], arena.size_bytes))
      throw wrong(index, t, opcode.name, std::string(what) + " (operand " + std::to_string(o) + ")");
  }
  if (const char* what = opcode.check(call)) throw wrong(index, t, opcode.name, what);
  if (const char* what = opcode.contents ? opcode.contents(call) : nullptr) throw wrong(index, t, opcode.name, what);
  const std::int64_t bytes = opcode.workspace != nullptr ? opcode.workspace(call) : 0;
  if (bytes < 0 || bytes > (std::int64_t{1} << 34)) throw wrong(index, t, opcode.name, "needs too much workspace");
  return bytes;
}

void Executable::resolve(Entry& entry, std::span<const std::int64_t> symbols) {
  for (const Target& target : entry.targets) {
    std::int64_t value = target.constant;
    for (std::uint32_t i = 0; i < target.num_terms; ++i) {
      const PatchRow& term = entry.terms[target.first_term + i];
      value += term.coefficient * symbols[term.symbol];
    }
    *target.value = value;
  }
  for (const std::uint32_t i : entry.moving)
    entry.operands[i].data = at(arenas_[entry.arena_of[i]].data, entry.offsets[i]);
}

Executable::Entry& Executable::prepared(int index, std::span<const std::int64_t> symbols) {
  if (index < 0 || static_cast<std::size_t>(index) >= entries_.size()) throw std::out_of_range("no such entry");
  Entry& entry = entries_[static_cast<std::size_t>(index)];
  if (symbols.size() != entry.spec.low.size())
    throw std::out_of_range("the entry takes " + std::to_string(entry.spec.low.size()) + " symbols");
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    if (symbols[i] < entry.spec.low[i] || symbols[i] > entry.spec.high[i])
      throw std::out_of_range("symbol " + std::to_string(i) + " is " + std::to_string(symbols[i]) + ", outside " +
                              std::to_string(entry.spec.low[i]) + " to " + std::to_string(entry.spec.high[i]));
    sum += symbols[i];
  }
  if (sum > entry.spec.limit)
    throw std::out_of_range("the symbols add up to " + std::to_string(sum) + ", above " +
                            std::to_string(entry.spec.limit));
  resolve(entry, symbols);
  // The vertices vouch for affine conditions only; a check may hold others, and a file may be hostile.
  for (const std::uint32_t t : entry.symbolic)
    if (verify_task(entry, index, t) > workspace_bytes_)
      throw wrong(index, t, entry.tasks[t].opcode->name, "needs more workspace than at its bounds");
  return entry;
}

void Executable::run_slice(int index, std::span<const std::int64_t> symbols, std::size_t first, std::size_t last) {
  Entry& entry = prepared(index, symbols);
  if (first > last || last > entry.tasks.size()) throw std::out_of_range("the entry has no such tasks");
  if (entry.spec.repeats != 1) throw std::out_of_range("an entry that repeats is not run in slices");
  trace_ = true;
  std::fill(times_.begin() + static_cast<std::ptrdiff_t>(first), times_.begin() + static_cast<std::ptrdiff_t>(last), TaskTime{0, 0});
  work_alone(entry, first, last);
}

void Executable::run(int index, std::span<const std::int64_t> symbols, bool trace) {
  Entry& entry = prepared(index, symbols);
  trace_ = trace;
  if (trace_) std::ranges::fill(times_, TaskTime{0, 0});
  if (pool_.threads() == 1) {
    for (std::int64_t repeat = 0; repeat < entry.spec.repeats; ++repeat) work_alone(entry, 0, entry.tasks.size());
    return;
  }
  for (std::size_t t = 0; t < entry.tasks.size(); ++t) {
    claimed_[t].store(0, std::memory_order_relaxed);
    finished_[t].store(0, std::memory_order_relaxed);
  }
  pool_.run([this, &entry](int thread) { work(entry, thread); });
}

void Executable::note(std::size_t t, std::int64_t began_ns, std::int64_t ended_ns) {
  TaskTime& time = times_[t];
  if (time.end_ns == 0) time = {began_ns, began_ns};
  time.end_ns += ended_ns - began_ns;
}

void Executable::work_alone(Entry& entry, std::size_t first, std::size_t last) {
  for (std::size_t t = first; t < last; ++t) {
    Call call = entry.tasks[t].call;
    call.workspace = workspace_->data();
    call.parts = entry.tasks[t].parts;
    const std::int64_t began_ns = trace_ ? now_ns() : 0;
    for (call.part = 0; call.part < call.parts; ++call.part) entry.tasks[t].kernel(call);
    if (trace_) note(t, began_ns, now_ns());
  }
}

void Executable::work(Entry& entry, int thread) {
  std::byte* workspace = workspace_->data() + workspace_bytes_ * thread;
  const auto repeats = static_cast<std::uint32_t>(entry.spec.repeats);
  const auto wait = [this, &entry, thread](std::uint32_t t, std::uint32_t repeat) {
    const std::uint32_t target = entry.tasks[t].parts * (repeat + 1);
    if (thread == 0) pool_.wait_for(t, finished_[t], target, entry.piece_ns[t].load(std::memory_order_relaxed));
    else wait_until(finished_[t], target);
  };
  for (std::uint32_t repeat = 0; repeat < repeats; ++repeat) {
    for (std::uint32_t t = 0; t < entry.tasks.size(); ++t) {
      const Task& task = entry.tasks[t];
      if (claimed_[t].load(std::memory_order_relaxed) >= task.parts * (repeat + 1)) continue;
      if (thread == 0) pool_.call_back();
      for (std::uint32_t w = 0; w < task.num_waits; ++w) wait(entry.waits[task.first_wait + w], repeat);
      // What stood before and after this task in the last repetition may touch what it touches.
      if (repeat > 0)
        for (std::uint32_t other = 0; other < entry.tasks.size(); ++other) wait(other, repeat - 1);
      if (thread != 0) {
        if (pool_.away(thread)) return pool_.takes(thread, Pool::kNoTask);
        pool_.takes(thread, t);
      }
      claim(entry, t, workspace, repeat);
    }
  }
  if (thread != 0) return pool_.takes(thread, Pool::kNoTask);
  // The caller may look at results as soon as its own thread is through: see that every piece has ended.
  for (std::uint32_t t = 0; t < entry.tasks.size(); ++t) wait(t, repeats - 1);
}

void Executable::claim(Entry& entry, std::uint32_t t, std::byte* workspace, std::uint32_t repeat) {
  const Task& task = entry.tasks[t];
  Call call = task.call;
  call.workspace = workspace;
  call.parts = task.parts;
  const std::uint32_t end = task.parts * (repeat + 1);
  const std::int64_t began_ns = now_ns();
  std::uint32_t taken = 0, next = claimed_[t].load(std::memory_order_relaxed);
  while (next < end) {
    // Never past the end: pieces beyond it belong to the next repetition.
    if (!claimed_[t].compare_exchange_weak(next, next + 1, std::memory_order_relaxed)) continue;
    call.part = next - task.parts * repeat;
    if (trace_ && call.part == 0) began_ns_[t] = now_ns();
    task.kernel(call);
    ++taken;
    const bool last = finished_[t].fetch_add(1, std::memory_order_acq_rel) + 1 == end;
    if (last && trace_) note(t, began_ns_[t], now_ns());
    if (last) finished_[t].notify_all();
    next = claimed_[t].load(std::memory_order_relaxed);
  }
  if (taken > 0) entry.piece_ns[t].store((now_ns() - began_ns) / taken, std::memory_order_relaxed);
}

void Executable::reset_state() {
  for (std::size_t i = 0, page = 0; i < arenas_.size(); ++i) {
    if (!writable(arenas_[i].kind)) continue;
    if (arenas_[i].kind == ArenaKind::state) pages_[page]->zero();
    ++page;
  }
}

}  // namespace netwright
