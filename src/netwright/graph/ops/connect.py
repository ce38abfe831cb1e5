"""Connectivity: the spikes of some steps ago, through weights, to the inputs of neurons.

`history` [D, 1, n] holds the spikes of the last D steps: those of step s in row s mod D, and
`clock` is the step that is on. Which row and which targets are read depends on values: no einsum.
Every kind adds to `onto` where it is given (an input or current that is already there).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.extent import Extent
from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.conv import Conv
from netwright.graph.ops.philox import chance_bound, words
from netwright.graph.ops.shape import count, expect, fail, operand, optional

Array: TypeAlias = NDArray[Any]


def infer_connection(
    kind: OpKind,
    types: Sequence[TensorType | None],
    where: tuple[int, int, int],
    onto: int,
    targets: Extent,
) -> TensorType:
    """The sum's type: that of `onto` (operand index), else [1, 1, targets].

    `where` is (delay, first source, sources).
    """
    delay, first, sources = where
    history = operand(kind, types, 0, "history", "float")
    expect(kind, "clock", operand(kind, types, 1, "clock", "int").shape, (1,))
    if len(history.shape) != 3 or history.shape[1] != 1:
        fail(kind, "history is not [steps, 1, neurons]")
    kept, _, neurons = history.shape
    if isinstance(kept, int) and not 1 <= delay <= kept:
        fail(kind, f"delay is {delay} steps, expected 1 to the {kept} that history keeps")
    if isinstance(neurons, int) and not (first >= 0 and 0 <= sources <= neurons - first):
        fail(kind, f"sources {first} to {first + sources} are not all of the {neurons} there are")
    added = optional(types, onto)
    if added is None:
        return TensorType((1, 1, targets))
    if added.element != "float" or added.shape not in ((1, targets), (1, 1, targets)):
        fail(kind, f"onto has shape {added.shape}, expected [1, {targets}] or [1, 1, {targets}]")
    return added


def spikes_ago(history: Array, clock: Array, delay: Array | int) -> Array:
    """Spikes [..., n] of `delay` steps before the one that is on."""
    return history[(int(clock[0]) - delay) % history.shape[0], 0]


def plus(arrays: Sequence[Array | None], onto: int, added: Array) -> Array:
    """`added` [targets] on top of the operand `onto`, in its shape."""
    before = arrays[onto] if onto < len(arrays) else None
    return added[None, None] if before is None else before + added.reshape(before.shape)


@final
@dataclass(frozen=True, slots=True)
class SparseConnect(OpKind):
    """Rows of synapses: that of source i is starts[i] .. starts[i + 1].

    Inputs: history [D,1,n], clock int [1], starts int [S+1], target int [synapses], weight [1] or
    [synapses], delays int [synapses] in steps or None (then all have `delay`), onto or None.
    Sources are neurons `first` .. `first` + S. Output: the sums of the targets.
    """

    targets: int
    delay: int = 1
    first: int = 0

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 5, 7)
        starts = operand(self, types, 2, "starts", "int")
        target = operand(self, types, 3, "target", "int")
        weight = operand(self, types, 4, "weight", "float")
        if len(starts.shape) != 1 or not isinstance(starts.shape[0], int) or len(target.shape) != 1:
            fail(self, "starts and target are not rows of numbers")
        if weight.shape not in ((1,), target.shape):
            fail(self, f"weight has shape {weight.shape}, expected [1] or {target.shape}")
        delays = optional(types, 5)
        if delays is not None:
            expect(self, "delays", delays.shape, target.shape)
        where = (self.delay, self.first, starts.shape[0] - 1)
        return (infer_connection(self, types, where, 6, self.targets),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        history, clock, starts, target, weight = arrays[:5]
        assert history is not None and clock is not None
        assert starts is not None and target is not None and weight is not None
        delays = arrays[5] if len(arrays) > 5 else None
        ago = self.delay if delays is None else delays
        source = self.first + np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        row = (int(clock[0]) - np.broadcast_to(ago, target.shape)) % history.shape[0]
        total = np.zeros(self.targets)
        np.add.at(total, target, history[row, 0, source] * np.broadcast_to(weight, target.shape))
        return (plus(arrays, 6, total),)


@final
@dataclass(frozen=True, slots=True)
class DenseConnect(OpKind):
    """All to all. Inputs: history, clock, weight [S, targets], onto or None."""

    delay: int = 1
    first: int = 0

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 3, 4)
        weight = operand(self, types, 2, "weight", "float")
        if len(weight.shape) != 2 or not isinstance(weight.shape[0], int):
            fail(self, f"weight has shape {weight.shape}, expected [sources, targets]")
        where = (self.delay, self.first, weight.shape[0])
        return (infer_connection(self, types, where, 3, weight.shape[1]),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        history, clock, weight = arrays[:3]
        assert history is not None and clock is not None and weight is not None
        spikes = spikes_ago(history, clock, self.delay)
        return (plus(arrays, 3, spikes[self.first : self.first + len(weight)] @ weight),)


@final
@dataclass(frozen=True, slots=True)
class ConvConnect(OpKind):
    """A convolution of neurons that lie as [C, H, W].

    Inputs: history, clock, weight [O, C, kh, kw], onto or None. Targets lie as [O, H', W'].
    """

    shape: tuple[int, int, int]
    stride: int = 1
    padding: int = 0
    delay: int = 1
    first: int = 0

    def output(self, weight: tuple[Extent, ...]) -> tuple[int, int, int]:
        """[O, H', W'] for a weight of this shape."""
        if len(weight) != 4 or weight[1] != self.shape[0]:
            fail(self, f"weight has shape {weight}, expected [out, {self.shape[0]}, height, width]")
        out, _, *kernel = (int(size) for size in weight if isinstance(size, int))
        high, wide = (
            (size + 2 * self.padding - k) // self.stride + 1
            for size, k in zip(self.shape[1:], kernel, strict=True)
        )
        if min(high, wide) < 1:
            fail(self, f"a kernel of {kernel} is larger than the neurons, {self.shape}")
        return out, high, wide

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 3, 4)
        weight = operand(self, types, 2, "weight", "float")
        targets = int(np.prod(self.output(weight.shape)))
        where = (self.delay, self.first, int(np.prod(self.shape)))
        return (infer_connection(self, types, where, 3, targets),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def convolved(self, spikes: Array, weight: Array) -> Array:
        """[B, C, H, W] through the weight."""
        pads = ((self.padding, self.padding),) * 2
        return Conv((self.stride,) * 2, pads, (1, 1)).reference((spikes, weight, None, None))[0]

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        history, clock, weight = arrays[:3]
        assert history is not None and clock is not None and weight is not None
        number = int(np.prod(self.shape))
        spikes = spikes_ago(history, clock, self.delay)[self.first : self.first + number]
        return (
            plus(arrays, 3, self.convolved(spikes.reshape(1, *self.shape), weight).reshape(-1)),
        )


@final
@dataclass(frozen=True, slots=True)
class RandomConnect(OpKind):
    """Every source is joined to every target with one chance, by a counter-based generator.

    The word of (source, target) below the chance joins them: `joined` is the whole wiring, so it
    can be kept as rows or made again whenever a source fires. Inputs: history, clock, onto or None.
    """

    sources: int
    targets: int
    chance: float
    weight: float
    seed: int = 0
    stream: int = 0
    delay: int = 1
    first: int = 0

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 3)
        if not 0.0 <= self.chance < 1.0:
            fail(self, f"chance is {self.chance}, expected 0 to below 1")
        where = (self.delay, self.first, self.sources)
        return (infer_connection(self, types, where, 2, self.targets),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def joined(self, sources: Array) -> Array:
        """Booleans [sources, targets] for these sources, counted from `first`."""
        drawn = words(self.targets, sources, self.seed, self.stream)
        return drawn < np.uint64(chance_bound(self.chance))

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        history, clock = arrays[:2]
        assert history is not None and clock is not None
        spikes = spikes_ago(history, clock, self.delay)[self.first : self.first + self.sources]
        (fired,) = np.nonzero(spikes)
        rows = self.joined(fired)
        return (plus(arrays, 2, self.weight * (spikes[fired] @ rows)),)
