#include "kernels/float_gemm.hpp"
