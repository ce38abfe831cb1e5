"""Spiking Graph × chip → which core holds which neurons."""
