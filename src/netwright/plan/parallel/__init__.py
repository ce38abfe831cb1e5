"""(Transformer, Machine) → Layout: tensor x pipeline x data parallel training of a cluster."""
