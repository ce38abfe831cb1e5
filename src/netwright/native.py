"""The only door to the compiled core."""

from netwright import core as core  # pyright: ignore[reportAttributeAccessIssue]

__all__ = ["core"]
