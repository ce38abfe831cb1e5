// The pool and the virtual machine under ThreadSanitizer: programs of random waits, run many times by 1 to 4
// threads, each result compared with that of one thread. Opcodes of its own, so that it builds in seconds.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "vm/executable.hpp"
#include "vm/registry.hpp"

namespace netwright {

namespace {

constexpr std::int64_t kCells = 64;  // int64 each, one operand

const char* check(const Call&) { return nullptr; }

// operand 0 [kCells] = 3 * operand 1 + operand 2 + parameter 0
void combine(const Call& call) {
  const auto cell = [](const Operand& operand) { return reinterpret_cast<std::int64_t*>(operand.data); };
  const auto workspace = reinterpret_cast<std::int64_t*>(call.workspace);
  const Piece mine = piece(call, kCells);
  // Now and then a piece takes as long as if its thread had lost the processor: helpers are sent away, and come back.
  if ((call.parameter[0] + 13 * call.part) % 97 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (std::int64_t i = mine.begin; i < mine.end; ++i) {
    workspace[i] = 3 * (cell(call.operand[1])[i] & 0xFFFFFFFF);
    cell(call.operand[0])[i] = workspace[i] + (cell(call.operand[2])[i] & 0xFFFF) + call.parameter[0];
  }
}

constexpr Opcode kOpcode{1, "combine", 1, check, [](const Call&) { return 8 * kCells; }, combine, nullptr};

}  // namespace

const Opcode* find_opcode(std::uint16_t code) { return code == 1 ? &kOpcode : nullptr; }

namespace {

// Task t writes buffer t + 1 from two earlier buffers, and waits for the tasks that wrote them. The last one writes
// buffer 0 after all others have ended: what the next repetition begins with.
struct Built {
  std::vector<std::int64_t> words;
  std::vector<PatchRow> patches;
  std::vector<OperandRow> operands;
  std::vector<TaskRow> tasks;
  std::vector<std::uint32_t> waits;
};

Built build(std::uint32_t num_tasks, unsigned seed) {
  std::mt19937 random(seed);
  Built built;
  const auto operand = [&](std::uint32_t buffer) {
    built.operands.push_back({0, static_cast<std::uint8_t>(Format::int64), 1, static_cast<std::uint32_t>(built.words.size())});
    built.words.insert(built.words.end(), {8 * kCells * static_cast<std::int64_t>(buffer), kCells, 8});
  };
  for (std::uint32_t t = 0; t < num_tasks; ++t) {
    TaskRow row{};
    row.opcode = 1;
    row.num_operands = 3;
    row.num_parameters = 1;
    row.first_operand = static_cast<std::uint32_t>(built.operands.size());
    row.parts = 1 + random() % 7;
    row.first_wait = static_cast<std::uint32_t>(built.waits.size());
    const bool last = t + 1 == num_tasks;
    operand(last ? 0 : t + 1);
    if (last)
      for (std::uint32_t other = 0; other < t; ++other) built.waits.push_back(other);
    for (int i = 0; i < 2; ++i) {
      const std::uint32_t buffer = random() % (t + 1);
      operand(buffer);
      if (buffer > 0 && !last) built.waits.push_back(buffer - 1);
    }
    row.num_waits = static_cast<std::uint32_t>(built.waits.size()) - row.first_wait;
    row.first_parameter = static_cast<std::uint32_t>(built.words.size());
    // The parameter grows with the symbol, so that every run resolves and verifies again.
    built.patches.push_back({row.first_parameter, 0, 1});
    built.words.push_back(t);
    built.tasks.push_back(row);
  }
  return built;
}

std::vector<std::int64_t> result(Executable& executable, std::int64_t symbol, bool trace) {
  const std::int64_t symbols[] = {symbol};
  executable.run(0, symbols, trace);
  const auto cells = reinterpret_cast<const std::int64_t*>(executable.arena(0));
  return {cells, cells + executable.arena_bytes(0) / 8};
}

}  // namespace

}  // namespace netwright

int main(int, char** arguments) {
  using namespace netwright;
  const int runs = arguments[1] != nullptr ? std::atoi(arguments[1]) : 300;
  for (unsigned seed = 0; seed < 4; ++seed) {
    const std::uint32_t num_tasks = 5 + 20 * seed;
    const Built built = build(num_tasks, seed);
    const Tables tables{built.words, built.patches, built.operands, built.tasks, built.waits};
    const ArenaSpec arena{ArenaKind::state, 8 * kCells * (num_tasks + 1), nullptr};
    const EntrySpec entry{0, num_tasks, {0}, {1000}, 1000, 1 + 2 * static_cast<std::int64_t>(seed)};
    Executable alone(tables, {&arena, 1}, {&entry, 1}, 1, false);
    Executable together(tables, {&arena, 1}, {&entry, 1}, 4, false);
    for (int run = 0; run < runs; ++run) {
      together.set_threads(1 + run % 4);
      if (result(alone, run, false) != result(together, run, run % 8 == 0)) {
        std::printf("seed %u, run %d: %d threads give another result than one\n", seed, run, 1 + run % 4);
        return 1;
      }
    }
  }
  std::puts("threads: clean");
  return 0;
}
