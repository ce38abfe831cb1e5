// Opcodes 80-87: spiking networks, step by step and in sequences (vm/opcodes.md).
#pragma once

#include <span>

#include "vm/opcode.hpp"

namespace netwright {

std::span<const Opcode> spike_opcodes();

}  // namespace netwright
