"""Spatial accelerators: published figures against ours."""
