#if defined(__AVX2__)
#include "kernels/token_gather.hpp"
#include "kernels/token_kernels.hpp"
#include "kernels/token_position.hpp"
#endif
