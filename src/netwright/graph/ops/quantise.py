"""Quantise and dequantise in one step, as training for low precision sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.cascade import access, broadcast_access, loops, names
from netwright.graph.ops.shape import broadcast, count, fail, operand

Array: TypeAlias = NDArray[Any]


def _round_away(x: Array) -> Array:
    return np.sign(x) * np.ceil(np.abs(x))


def _half_up(x: Array) -> Array:
    return np.floor(x + 0.5)


def _half_down(x: Array) -> Array:
    return np.ceil(x - 0.5)


_ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": _round_away,
    "DOWN": np.trunc,
    "ROUND_TO_ZERO": np.trunc,
    "HALF_EVEN": np.rint,
    "HALF_UP": _half_up,
    "HALF_DOWN": _half_down,
}


@final
@dataclass(frozen=True, slots=True)
class FakeQuantise(OpKind):
    """QONNX Quant: (clip(round(x / scale + zero_point)) - zero_point) * scale.

    Inputs: x, scale, zero_point.
    Source: QONNX operator definitions (Pappalardo et al., arXiv 2206.07527).
    """

    bits: float
    signed: bool
    narrow: bool
    rounding: str = "ROUND"

    def limits(self) -> tuple[float, float]:
        """The smallest and the largest integer code."""
        if self.signed:
            most = 2.0 ** (self.bits - 1) - 1
            return (-most if self.narrow else -most - 1), most
        return 0.0, 2.0**self.bits - (2 if self.narrow else 1)

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 3, 3)
        given = [operand(self, types, i, n, "float") for i, n in enumerate(("x", "scale", "zero"))]
        if self.rounding not in _ROUNDINGS:
            fail(self, f"rounding {self.rounding!r} is unknown; expected {' '.join(_ROUNDINGS)}")
        if not 1 <= self.bits <= 64:
            fail(self, f"bits is {self.bits}, expected 1 to 64")
        return (TensorType(broadcast(self, *(t.shape for t in given))),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        dims = names(len(outputs[0].shape))
        over = loops(dims, outputs[0].shape)
        x, scale, zero = (
            broadcast_access(i, operand(self, types, i, "operand").shape, dims) for i in range(3)
        )
        low, high = self.limits()
        steps = [access(-i, dims) for i in range(1, 6)]
        return (
            Einsum(over, (x, scale), steps[0], "div"),
            Einsum(over, (steps[0], zero), steps[1], "add"),
            Einsum(over, (steps[1],), steps[2], f"round_{self.rounding.lower()}"),
            Einsum(over, (steps[2],), steps[3], "clip", parameters=(low, high)),
            Einsum(over, (steps[3], zero), steps[4], "sub"),
            Einsum(over, (steps[4], scale), access(3, dims)),
        )

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x, scale, zero = arrays
        assert x is not None
        assert scale is not None
        assert zero is not None
        low, high = self.limits()
        codes = np.clip(_ROUNDINGS[self.rounding](x / scale + zero), low, high)
        return ((codes - zero) * scale,)
