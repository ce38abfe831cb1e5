#if defined(__AVX2__)
#include "kernels/spike_plastic.hpp"
#endif
