#include "vm/registry.hpp"

#include <algorithm>
#include <vector>

#include "kernels/float.hpp"
#include "kernels/quant.hpp"
#include "kernels/spike.hpp"

namespace netwright {

namespace {

std::vector<Opcode> gather() {
  std::vector<Opcode> all;
  const auto add = [&all](std::span<const Opcode> some) { all.insert(all.end(), some.begin(), some.end()); };
  add(quant_opcodes());
  add(float_opcodes());
  add(spike_opcodes());
  std::ranges::sort(all, {}, &Opcode::code);
  return all;
}

}  // namespace

std::span<const Opcode> opcodes() {
  static const std::vector<Opcode> all = gather();
  return all;
}

const Opcode* find_opcode(std::uint16_t code) {
  const auto all = opcodes();
  const auto found = std::ranges::lower_bound(all, code, {}, &Opcode::code);
  return found != all.end() && found->code == code ? &*found : nullptr;
}

const Opcode* find_opcode(std::string_view name) {
  const auto all = opcodes();
  const auto found = std::ranges::find(all, name, [](const Opcode& each) { return std::string_view(each.name); });
  return found != all.end() ? &*found : nullptr;
}

}  // namespace netwright
