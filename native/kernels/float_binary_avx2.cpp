#include "kernels/float_binary.hpp"
