"""Winograd's form of 3x3 convolutions: its matrices, and the reference of conv_winograd.

A tile of m x m outputs is A^T [sum over channels of (G g G^T) * (B^T d B)] A, with d the
(m + 2) x (m + 2) inputs that it reads and g a 3x3 window.
Source: Lavin and Gray, "Fast algorithms for convolutional neural networks" (CVPR 2016,
arXiv:1509.09308), sections 4.1 and 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from netwright.errors import ProgramError
from netwright.program.reference.call import Array, Call
from netwright.program.reference.packed import unpack


@final
@dataclass(frozen=True, slots=True, eq=False)
class Transforms:
    """The three matrices of F(m x m, 3x3) in float64."""

    output: Array  # A^T [m, m + 2]
    input: Array  # B^T [m + 2, m + 2]
    weight: Array  # G [m + 2, 3]


TRANSFORMS: Mapping[int, Transforms] = {
    2: Transforms(
        np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float64),
        np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float64),
        np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], np.float64) / 2,
    ),
    4: Transforms(
        np.array(
            [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
            np.float64,
        ),
        np.array(
            [
                [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
                [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
            ],
            np.float64,
        ),
        np.array(
            [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], np.float64
        )
        / 24,
    ),
}  # fmt: skip


def transforms(outputs_a_side: int) -> Transforms:
    """The matrices of tiles of so many outputs a side.

    Raises:
        ProgramError: there are none.
    """
    found = TRANSFORMS.get(outputs_a_side)
    if found is None:
        raise ProgramError(f"tiles have 2 or 4 outputs a side, got {outputs_a_side}")
    return found


def transformed(weight: Array, outputs_a_side: int) -> Array:
    """G g G^T in float64: [O, C, 3, 3] → [O, C, m + 2, m + 2]."""
    g = transforms(outputs_a_side).weight
    return np.asarray(g @ weight.astype(np.float64) @ g.T)


def convolve(
    x: Array, windows: Array, outputs_a_side: int, box: tuple[int, int, int, int]
) -> Array:
    """X [N, C, H, W] and transformed windows [O, C, s, s] → [N, O, height, width].

    `box` is (pad before rows, before columns, height, width).
    """
    matrices, m = transforms(outputs_a_side), outputs_a_side
    top, left, height, width = box
    rows, columns = -(-height // m), -(-width // m)
    reach = (rows * m + 2, columns * m + 2)
    kept = x[:, :, : max(0, reach[0] - top), : max(0, reach[1] - left)]
    after = [r - b - n for r, b, n in zip(reach, (top, left), kept.shape[2:], strict=True)]
    padded = np.pad(kept, ((0, 0), (0, 0), (top, after[0]), (left, after[1])))
    views = np.lib.stride_tricks.sliding_window_view(padded, (m + 2, m + 2), axis=(2, 3))
    tiles = matrices.input @ views[:, :, ::m, ::m].astype(np.float64) @ matrices.input.T
    sums = np.einsum("ncyxij,ocij->noyxij", tiles, windows)
    made = matrices.output @ sums @ matrices.output.T
    whole = made.transpose(0, 1, 2, 4, 3, 5).reshape(*made.shape[:2], rows * m, columns * m)
    return np.asarray(whole[:, :, :height, :width])


def conv_winograd(call: Call) -> tuple[Array, ...]:
    """A 3x3 convolution whose transformed weight is in panels, as (m + 2)^2 taps."""
    x, m = call.given(0), call.whole(0)
    _, outputs, height, width = call.shape
    side = transforms(m).input.shape[0]
    windows = unpack(call.given(1), outputs, x.shape[1], side * side, 1)
    windows = windows.reshape(outputs, x.shape[1], side, side)
    product = convolve(x, windows, m, (*call.pair(1), height, width))
    residual = call.optional(3)
    moved = None if residual is None else np.moveaxis(residual, 1, -1)
    ends = Call(call.shapes, (call.optional(2), moved), call.parameters)
    return (np.moveaxis(ends.finish(np.moveaxis(product, 1, -1), 0, 1, 3), -1, 1),)
