"""Networks → trained networks: spiking neurons in torch, surrogate gradients, training loops."""
