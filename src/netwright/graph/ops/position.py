"""Rotary positions and the growing cache."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.extent import Extent
from netwright.graph.op import Access, Einsum, OpKind, Projection, TensorType
from netwright.graph.ops.cascade import Index, access
from netwright.graph.ops.shape import (
    count,
    expect,
    fail,
    number,
    operand,
    optional,
    rank_at_least,
    text,
)

Array: TypeAlias = NDArray[Any]


@final
@dataclass(frozen=True, slots=True)
class Rope(OpKind):
    """Rotary embedding at positions `start` + i over the first `rotary` of head_dim.

    `interleaved` pairs (2j, 2j+1) (llama in GGUF), else (j, j + rotary/2). Angle: position *
    base^(-2j/rotary) / factors[j]. Inputs: x [T, H, D], factors [rotary/2] or None.
    Source: Su et al., arXiv 2104.09864.
    """

    base: float
    rotary: int
    start: Extent
    interleaved: bool = False

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 2)
        x = operand(self, types, 0, "x", "float")
        rank_at_least(self, x, 3, "x")
        width = x.shape[-1]
        if not isinstance(width, int) or self.rotary % 2 or not 0 < self.rotary <= width:
            fail(self, f"rotary is {self.rotary}, expected an even number up to {width}")
        factors = optional(types, 1)
        if factors is not None:
            expect(self, "factors", factors.shape, (self.rotary // 2,))
        return (x,)

    def _pair(self) -> tuple[Projection, Projection]:
        """Where the two elements of pair j stand in the last dim."""
        if self.interleaved:
            return Projection((("j", 2),)), Projection((("j", 2),), 1)
        return Projection((("j", 1),)), Projection((("j", 1),), self.rotary // 2)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return _rope_cascade(self, types, outputs[0].shape, self._pair())

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        x = arrays[0]
        assert x is not None
        half = self.rotary // 2
        frequency = np.power(float(self.base), -2.0 * np.arange(half) / self.rotary)
        factors = arrays[1] if len(arrays) > 1 else None
        if factors is not None:
            frequency = frequency / factors
        tokens: int = x.shape[-3]
        positions = np.arange(tokens, dtype=np.float64) + number(self, self.start)
        angle = (positions[:, None] * frequency)[:, None, :]
        cosine, sine = np.cos(angle), np.sin(angle)
        if self.interleaved:
            first, second = slice(0, self.rotary, 2), slice(1, self.rotary, 2)
        else:
            first, second = slice(0, half), slice(half, self.rotary)
        y = x.copy()
        y[..., first] = x[..., first] * cosine - x[..., second] * sine
        y[..., second] = x[..., first] * sine + x[..., second] * cosine
        return (y,)


def _rope_angles(
    kind: Rope, types: Sequence[TensorType | None], t: tuple[str, Extent]
) -> tuple[list[Einsum], Access, Access]:
    """Cosine and sine of position t times frequency j; uses -1 .. -9."""
    j = ("j", kind.rotary // 2)
    slope = -2.0 * math.log(kind.base) / kind.rotary
    at_j, at_t = ([access(-i, (name,)) for i in range(1, 7)] for name in ("j", "t"))
    steps = [
        Einsum((j,), (), at_j[0], "index"),
        Einsum((j,), (at_j[0],), at_j[1], "scale", parameters=(slope, 0.0)),
        Einsum((j,), (at_j[1],), at_j[2], "exp"),
        Einsum((t,), (), at_t[3], "index"),
        Einsum((t,), (at_t[3],), at_t[4], "scale", parameters=(1.0, kind.start)),
    ]
    frequency = at_j[2]
    if optional(types, 1) is not None:
        steps.append(Einsum((j,), (frequency, access(1, ("j",))), at_j[5], "div"))
        frequency = at_j[5]
    angle, cosine, sine = (access(-i, ("t", "j")) for i in (7, 8, 9))
    steps += [
        Einsum((t, j), (at_t[4], frequency), angle),
        Einsum((t, j), (angle,), cosine, "cos"),
        Einsum((t, j), (angle,), sine, "sin"),
    ]
    return steps, cosine, sine


def _rope_cascade(
    kind: Rope,
    types: Sequence[TensorType | None],
    shape: tuple[Extent, ...],
    pair: tuple[Projection, Projection],
) -> tuple[Einsum, ...]:
    """Angles from positions and frequencies, then one rotation of each pair."""
    batch = tuple(f"b{i}" for i in range(len(shape) - 3))
    t = ("t", shape[-3])
    steps, cosine, sine = _rope_angles(kind, types, t)
    outer = (*zip(batch, shape[:-3], strict=True), t, ("h", shape[-2]))
    over = (*outer, ("j", kind.rotary // 2))

    def at(index: int, place: Index) -> Access:
        return access(index, (*batch, "t", "h", place))

    x1, x2 = (at(0, place) for place in pair)
    y1, y2 = (at(len(types), place) for place in pair)
    parts = [at(-i, "j") for i in (10, 11, 12, 13)]
    steps += [
        Einsum(over, (x1, cosine), parts[0]),
        Einsum(over, (x2, sine), parts[1]),
        Einsum(over, (parts[0], parts[1]), y1, "sub"),
        Einsum(over, (x1, sine), parts[2]),
        Einsum(over, (x2, cosine), parts[3]),
        Einsum(over, (parts[2], parts[3]), y2, "add"),
    ]
    rest = shape[-1] - kind.rotary
    if rest != 0:
        place = Projection((("rest", 1),), kind.rotary)
        whole = (*outer, ("rest", rest))
        steps.append(Einsum(whole, (at(0, place),), at(len(types), place), "identity"))
    return tuple(steps)


@final
@dataclass(frozen=True, slots=True)
class CacheAppend(OpKind):
    """Writes new [T, G, D] at rows `start`.. of cache [context, G, D]; output: rows 0 .. start+T.

    Inputs: cache (role CACHE), new. The output is a view of the cache after the write.
    """

    start: Extent

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        cache, new = operand(self, types, 0, "cache"), operand(self, types, 1, "new")
        rank_at_least(self, cache, 1, "cache")
        rank_at_least(self, new, 1, "new")
        expect(self, "new but for its first dim", new.shape[1:], cache.shape[1:])
        if cache.element != new.element:
            fail(self, f"cache is {cache.element}, new is {new.element}; cast one of them first")
        rows = new.shape[0] + self.start
        context = cache.shape[0]
        if isinstance(rows, int) and isinstance(context, int) and rows > context:
            fail(
                self,
                f"{text((rows,))} rows do not fit a cache of {context}; "
                "make the context longer or the sequence shorter",
            )
        return (TensorType((rows, *cache.shape[1:]), cache.element),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        cache, new = arrays
        assert cache is not None
        assert new is not None
        return (np.concatenate((cache[: number(self, self.start)], new), axis=0),)


@final
@dataclass(frozen=True, slots=True)
class StateUpdate(OpKind):
    """Writes new over state (same shape); output: the state after the write.

    Inputs: state (role STATE), new. Readers of the state itself stand before this operator and
    see the value of the step before.
    """

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        state = operand(self, types, 0, "state")
        new = operand(self, types, 1, "new", state.element)
        expect(self, "new", new.shape, state.shape)
        return (state,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        new = arrays[1]
        assert new is not None
        return (new,)
