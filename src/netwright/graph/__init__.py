"""Tensors, operators as einsums, folded blocks → a verified Graph: what is computed."""
