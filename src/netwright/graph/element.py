"""Element classes of formats and numpy arrays, and sizes in bytes of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from netwright.graph.extent import Extent, resolve
from netwright.graph.format import Format
from netwright.graph.op import TensorType, element_of
from netwright.graph.tensor import Tensor


@cache
def element_class(form: Format) -> str:
    """What class ("float", "int", "bool") the elements of a format decode to."""
    return element_of(form.decode(np.zeros(form.block_bytes, dtype=np.uint8)))


def type_of(tensor: Tensor) -> TensorType:
    """What operator kinds need to know of a tensor."""
    return TensorType(tensor.shape, element_class(tensor.format))


def shape_bytes(form: Format, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor of this shape; a scalar is a row of one element.

    Raises:
        FormatError: the last dim is no whole number of blocks.
    """
    rows = 1
    for size in shape[:-1]:
        rows *= size
    return rows * form.row_bytes(shape[-1] if shape else 1)


def resolved_shape(shape: tuple[Extent, ...], symbols: Mapping[str, int]) -> tuple[int, ...]:
    """The shape once every symbol has a value."""
    return tuple(resolve(e, symbols) for e in shape)
