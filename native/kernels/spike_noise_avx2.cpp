#if defined(__AVX2__)
#include "kernels/spike_noise.hpp"
#endif
