#include "kernels/token_kernels.hpp"
