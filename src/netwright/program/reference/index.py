"""References of gathers, scatters and recurrent layers."""

from __future__ import annotations

import numpy as np

from netwright.graph.ops.gather import Gather, GatherElements, GatherNd, ScatterNd
from netwright.graph.ops.recurrent import Gru, Lstm
from netwright.program.reference.call import Array, Call


def _within(indices: Array, size: int) -> Array:
    """Negative counts from the end; what is still outside is clamped."""
    return np.clip(np.where(indices < 0, indices + size, indices), 0, size - 1)


def gather(call: Call) -> tuple[Array, ...]:
    """Places of the middle dim of [outer, A, inner]."""
    table = call.given(0)
    return Gather(1).reference((table, _within(call.given(1), table.shape[1])))


def gather_elements(call: Call) -> tuple[Array, ...]:
    """GatherElements along an axis."""
    x, axis = call.given(0), call.whole(0)
    return GatherElements(axis).reference((x, _within(call.given(1), x.shape[axis])))


def _tuples(x: Array, indices: Array, first: int) -> Array:
    sizes = np.array(x.shape[first : first + indices.shape[-1]])
    return np.clip(np.where(indices < 0, indices + sizes, indices), 0, sizes - 1)


def gather_nd(call: Call) -> tuple[Array, ...]:
    """GatherNd after some batch dims."""
    x, batch = call.given(0), call.whole(0)
    return GatherNd(batch).reference((x, _tuples(x, call.given(1), batch)))


def scatter_nd(call: Call) -> tuple[Array, ...]:
    """ScatterNd; later updates win."""
    x = call.given(0)
    return ScatterNd().reference((x, _tuples(x, call.given(1), 0), call.given(2)))


def _direction(call: Call) -> list[Array | None]:
    """x, and the other operands with the one direction as their first dim."""
    others = (call.optional(i) for i in range(1, len(call.arrays)))
    return [call.given(0), *(None if a is None else a[None] for a in others)]


def lstm(call: Call) -> tuple[Array, ...]:
    """One direction of an Lstm: y, h, c."""
    kind = Lstm(call.given(2).shape[1], "reverse" if call.whole(0) else "forward")
    y, h, c = kind.reference(_direction(call))
    return y[:, 0], h[0], c[0]


def gru(call: Call) -> tuple[Array, ...]:
    """One direction of a Gru: y, h."""
    direction = "reverse" if call.whole(0) else "forward"
    y, h = Gru(call.given(2).shape[1], direction, bool(call.whole(1))).reference(_direction(call))
    return y[:, 0], h[0]
