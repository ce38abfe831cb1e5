"""Einsum × Array → Mapping, with its certificate: which loops run where on a spatial unit."""
