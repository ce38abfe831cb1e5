"""Time in a spiking network: the clock, the spikes kept for delays, and spikes from chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Einsum, OpKind, TensorType
from netwright.graph.ops.connect import plus
from netwright.graph.ops.philox import chance_bound, poisson_bounds, words
from netwright.graph.ops.shape import count, expect, fail, operand, optional

Array: TypeAlias = NDArray[Any]

LARGEST_MEAN = 20.0  # its tail still ends within the 64 events that a draw can give


@final
@dataclass(frozen=True, slots=True)
class Tick(OpKind):
    """The next step: clock int [1] plus 1."""

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 1)
        clock = operand(self, types, 0, "clock", "int")
        expect(self, "clock", clock.shape, (1,))
        return (clock,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        clock = arrays[0]
        assert clock is not None
        return (clock + 1,)


@final
@dataclass(frozen=True, slots=True)
class OfStep(OpKind):
    """x [1,B,...], unchanged: what arrives from outside, or leaves, in this step.

    A job that streams gives an input the rows of all its steps, and reads those of an output; the
    row of a step is the clock's. Inputs: x, clock.
    """

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        x = operand(self, types, 0, "x", "float")
        if len(x.shape) < 3 or x.shape[0] != 1:
            fail(self, f"x has shape {x.shape}, expected [1, batch, ...]")
        expect(self, "clock", operand(self, types, 1, "clock", "int").shape, (1,))
        return (x,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        assert arrays[0] is not None
        return (arrays[0],)


@final
@dataclass(frozen=True, slots=True)
class Remember(OpKind):
    """Spikes [1,1,n] into row `clock` mod D of history [D,1,n]. Inputs: history, spikes, clock."""

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 3, 3)
        history = operand(self, types, 0, "history", "float")
        spikes = operand(self, types, 1, "spikes", "float")
        if len(history.shape) != 3 or history.shape[1] != 1:
            fail(self, "history is not [steps, 1, neurons]")
        expect(self, "spikes", spikes.shape, (1, 1, history.shape[2]))
        expect(self, "clock", operand(self, types, 2, "clock", "int").shape, (1,))
        return (history,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        history, spikes, clock = arrays
        assert history is not None and spikes is not None and clock is not None
        kept = history.copy()
        kept[int(clock[0]) % len(kept)] = spikes[0]
        return (kept,)


@final
@dataclass(frozen=True, slots=True)
class Poisson(OpKind):
    """Events from outside: a Poisson number of this mean a neuron and step, times `weight`.

    The draw depends on (seed, stream, neuron, step) alone. Inputs: clock, onto or None.
    """

    neurons: int
    mean: float
    weight: float = 1.0
    seed: int = 0
    stream: int = 0

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 1, 2)
        expect(self, "clock", operand(self, types, 0, "clock", "int").shape, (1,))
        if not 0.0 <= self.mean <= LARGEST_MEAN:
            fail(self, f"mean is {self.mean} events a step, expected 0 to {LARGEST_MEAN}")
        onto = optional(types, 1)
        if onto is None:
            return (TensorType((1, 1, self.neurons)),)
        if onto.element != "float" or onto.shape not in ((1, self.neurons), (1, 1, self.neurons)):
            fail(self, f"onto has shape {onto.shape}, expected [1, {self.neurons}] or one dim more")
        return (onto,)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        clock = arrays[0]
        assert clock is not None
        drawn = words(self.neurons, int(clock[0]), self.seed, self.stream)
        events = np.searchsorted(poisson_bounds(self.mean), drawn.astype(np.int64), side="right")
        return (plus(arrays, 1, self.weight * events.astype(np.float64)),)


@final
@dataclass(frozen=True, slots=True)
class SpikeSource(OpKind):
    """Spikes by chance: neuron i fires in a step with chance[i] (or all with chance[0]).

    The draw depends on (seed, stream, neuron, step) alone. Inputs: clock, chance [1] or [neurons],
    a weight. Output: spikes [1,1,neurons].
    """

    neurons: int
    seed: int = 0
    stream: int = 0

    def infer(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        count(self, types, 2, 2)
        expect(self, "clock", operand(self, types, 0, "clock", "int").shape, (1,))
        chance = operand(self, types, 1, "chance", "float")
        if chance.shape not in ((1,), (self.neurons,)):
            fail(self, f"chance has shape {chance.shape}, expected [1] or [{self.neurons}]")
        return (TensorType((1, 1, self.neurons)),)

    def einsums(
        self, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
    ) -> tuple[Einsum, ...]:
        return ()

    def reference(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        clock, chance = arrays
        assert clock is not None and chance is not None
        drawn = words(self.neurons, int(clock[0]), self.seed, self.stream)
        bounds = np.array([chance_bound(float(c)) for c in chance], np.uint64)
        return ((drawn < bounds).astype(np.float64)[None, None],)
