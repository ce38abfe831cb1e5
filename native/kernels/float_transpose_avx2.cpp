#include "kernels/float_transpose.hpp"
