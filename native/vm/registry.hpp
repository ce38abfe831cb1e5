// Every opcode of this build.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "vm/opcode.hpp"

namespace netwright {

std::span<const Opcode> opcodes();                    // ordered by code
const Opcode* find_opcode(std::uint16_t code);        // nullptr: not in this build
const Opcode* find_opcode(std::string_view name);

}  // namespace netwright
