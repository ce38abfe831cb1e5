#include "kernels/float_resize.hpp"
