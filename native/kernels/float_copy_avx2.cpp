#include "kernels/float_copy.hpp"
