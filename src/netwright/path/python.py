"""Whether a source is Python: kept apart, so that asking loads nothing."""

from __future__ import annotations


def is_python(source: str) -> bool:
    """Whether a source is a Python file that builds its network (`network = ...`)."""
    return source.endswith(".py")
