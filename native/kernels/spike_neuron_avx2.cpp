#if defined(__AVX2__)
#include "kernels/spike_neuron.hpp"
#endif
