// Opcodes 80-88 and 90-93: spiking networks, step by step and in sequences, and synapses that learn (vm/opcodes.md).
#pragma once

#include <span>

#include "vm/opcode.hpp"

namespace netwright {

std::span<const Opcode> spike_opcodes();

}  // namespace netwright
