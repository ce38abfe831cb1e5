#include "kernels/float_winograd.hpp"
