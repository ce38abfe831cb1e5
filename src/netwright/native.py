"""The only door to the compiled core."""

from typing import Any

from netwright import core as compiled

# The stub (core.pyi) serves readers and editors; containers in it have no element types, so the
# code behind this door checks what it gets at run time.
core: Any = compiled

__all__ = ["core"]
