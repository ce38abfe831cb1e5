// Opcodes 16-22 and 32-50: dense fp32 networks (vm/opcodes.md).
#pragma once

#include <span>

#include "vm/opcode.hpp"

namespace netwright {

std::span<const Opcode> float_opcodes();

}  // namespace netwright
