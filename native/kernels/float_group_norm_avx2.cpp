#include "kernels/float_group_norm.hpp"
