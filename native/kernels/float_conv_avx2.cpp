#include "kernels/float_conv.hpp"
