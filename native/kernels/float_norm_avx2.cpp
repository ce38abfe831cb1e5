#include "kernels/float_norm.hpp"
