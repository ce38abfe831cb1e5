"""Packed float weights taken apart again (layout: native/kernels/float_pack.hpp)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError

PANEL_WIDTH = 16


def panel_widths(outputs: int) -> list[int]:
    """Widths of the panels of one group: 16 each, the last 8, 16 or 24; zeros pad to 8."""
    padded = -(-outputs // 8) * 8
    panels = max(1, padded // PANEL_WIDTH)
    return [PANEL_WIDTH] * (panels - 1) + [padded - PANEL_WIDTH * (panels - 1)]


def unpack(
    raw: NDArray[np.uint8], outputs: int, inputs: int, taps: int, groups: int
) -> NDArray[np.float64]:
    """The bytes of a packed weight → [groups, outputs, inputs, taps]; sizes are of one group.

    Raises:
        ProgramError: the weight is shorter than these sizes.
    """
    widths = panel_widths(outputs)
    needed = 4 * groups * sum(widths) * inputs * taps
    if raw.size < needed:
        raise ProgramError(f"a packed weight has {raw.size} bytes, its sizes need {needed}")
    flat = np.ascontiguousarray(raw[:needed]).view(np.float32)
    result = np.zeros((groups, outputs, inputs, taps))
    at = 0
    for group in range(groups):
        column = 0
        for width in widths:
            size = taps * inputs * width
            panel = flat[at : at + size].reshape(taps, inputs, width)
            real = min(width, outputs - column)
            result[group, column : column + real] = panel[:, :, :real].transpose(2, 1, 0)
            at += size
            column += width
    return result
