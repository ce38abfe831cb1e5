"""Which formats numpy can hold without decoding."""

from __future__ import annotations

from typing import Any

import numpy as np

from netwright.graph.format.base import Format
from netwright.graph.format.float import Float
from netwright.graph.format.integer import Boolean, Integer


def plain_dtype(form: Format) -> np.dtype[Any] | None:
    """The little-endian numpy dtype whose bytes are this format's, or None."""
    match form:
        case Float(bits):
            return np.dtype(f"<f{bits // 8}")
        case Integer(bits, signed):
            return np.dtype(f"<{'i' if signed else 'u'}{bits // 8}")
        case Boolean():
            return np.dtype(np.bool_)
        case _:
            return None
