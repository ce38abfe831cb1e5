"""Pipelines over many workers."""
