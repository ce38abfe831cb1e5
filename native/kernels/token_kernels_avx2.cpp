#if defined(__AVX2__)
#include "kernels/token_kernels.hpp"
#endif
