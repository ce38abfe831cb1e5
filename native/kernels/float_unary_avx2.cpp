#include "kernels/float_unary.hpp"
