// Bounds that checks enforce and kernels size their stack by.
#pragma once

#include <cstdint>

namespace netwright {

inline constexpr std::int64_t kMaxRotary = 1024;      // rotated elements of a head
inline constexpr std::int64_t kMaxHead = 1024;        // elements of a head
inline constexpr std::int64_t kMaxPosition = 1 << 24;

}  // namespace netwright
