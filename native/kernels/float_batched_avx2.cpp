#include "kernels/float_batched.hpp"
