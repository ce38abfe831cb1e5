"""Netwright: build neural networks onto machines."""

__version__ = "0.1.0"
