#include "kernels/float_reduce.hpp"
