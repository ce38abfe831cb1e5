#include "kernels/float_depthwise.hpp"
