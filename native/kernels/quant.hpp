// Opcodes 1-10: what a language model is made of (vm/opcodes.md).
#pragma once

#include <span>

#include "vm/opcode.hpp"

namespace netwright {

std::span<const Opcode> quant_opcodes();

}  // namespace netwright
