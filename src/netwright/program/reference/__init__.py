"""What every opcode means, in numpy: the oracle of the kernels."""
