#include "kernels/float_recurrent.hpp"
