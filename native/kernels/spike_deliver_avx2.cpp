#if defined(__AVX2__)
#include "kernels/spike_deliver.hpp"
#endif
