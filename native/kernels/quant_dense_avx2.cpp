#if defined(__AVX2__)
#include "kernels/quant_dense.hpp"
#endif
