#include "kernels/float_pool.hpp"
