#if defined(__AVX2__)
#include "kernels/attention.hpp"
#endif
