"""Price: what the passes of a layout's chunks take on a machine, and what follows them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import final

from netwright.cost.collective import (
    Group,
    all_gather_seconds,
    all_reduce_seconds,
    group,
    point_to_point_seconds,
    reduce_scatter_seconds,
)
from netwright.cost.cost import Setting
from netwright.cost.estimate import best_unit, estimate, lower_bound
from netwright.cost.transformer import (
    SUM,
    Part,
    Transformer,
    core_forward,
    embedding,
    gradient_sum,
    head_backward,
    head_forward,
    layer_backward,
    layer_forward,
    optimiser,
    product,
)
from netwright.cost.work import Work
from netwright.machine.machine import Machine, Unit
from netwright.plan.parallel.layout import Layout, Recompute
from netwright.plan.parallel.memory import GRADIENT, WEIGHT, stage_parameters

REDUCTIONS = 3  # of one number a token in the cross-entropy over parts of the words


@final
@dataclass(frozen=True, slots=True)
class Passes:
    """Seconds of one micro-batch through every chunk, in model order, messages included.

    `forward_least` and `backward_least`: the same with every operator at the unit's full rates.
    """

    forward: tuple[float, ...]
    backward: tuple[float, ...]
    forward_least: tuple[float, ...]
    backward_least: tuple[float, ...]


@final
@dataclass(frozen=True, slots=True)
class After:
    """What follows the pipeline in a step; none of it is hidden behind passes."""

    embedding_seconds: float
    data_seconds: float
    optimiser_seconds: float

    @property
    def seconds(self) -> float:
        """One after the other."""
        return self.embedding_seconds + self.data_seconds + self.optimiser_seconds


@final
@dataclass(frozen=True, slots=True)
class _Both:
    """An expected time, and one at the unit's full rates."""

    seconds: float = 0.0
    least: float = 0.0

    def __add__(self, other: _Both) -> _Both:
        return _Both(self.seconds + other.seconds, self.least + other.least)

    def __mul__(self, times: float) -> _Both:
        return _Both(times * self.seconds, times * self.least)


@final
@dataclass(frozen=True, slots=True)
class Pricer:
    """Asks the cost model of a machine's devices; alike questions are asked once."""

    network: Transformer
    machine: Machine
    unit: Unit
    known: dict[Hashable, _Both] = field(default_factory=dict[Hashable, _Both], compare=False)

    def passes(self, layout: Layout) -> Passes:
        """Of every chunk.

        Raises:
            MachineError: the machine has too few members, or lacks a link.
        """
        part, chunks = layout.part(self.network), layout.pipeline * layout.chunks
        layers = layout.chunk_layers(self.network)
        among = group(self.machine, range(layout.tensor))
        onwards, back = self._layer(part, layout.recompute, among)
        weights = layers * self.network.layer_parameters / layout.tensor
        middle = onwards * layers, back * layers + self._work((gradient_sum(weights),))
        hop, gather = self._hop(layout, part), _gather(part, among)
        forward, backward = [middle[0]] * chunks, [middle[1]] * chunks
        for chunk in range(chunks):
            before, after = chunk > 0, chunk < chunks - 1
            forward[chunk] += hop * after + gather * before
            backward[chunk] += hop * before + gather * after
        start, end = self._ends(part, among)
        forward[0] += start[0]
        backward[0] += start[1]
        forward[-1] += end[0]
        backward[-1] += end[1]
        return Passes(
            tuple(one.seconds for one in forward),
            tuple(one.seconds for one in backward),
            tuple(one.least for one in forward),
            tuple(one.least for one in backward),
        )

    def after(self, layout: Layout) -> After:
        """Sums over the data-parallel members and the optimiser, of the first stage."""
        t, p, d = layout.tensor, layout.pipeline, layout.data
        parameters = stage_parameters(self.network, layout)
        tied = 0.0
        if p > 1:
            words = SUM * self.network.vocabulary * self.network.hidden / t
            ends = group(self.machine, (0, (p - 1) * t * d), sharers=self._beside(t * d))
            tied = all_reduce_seconds(ends, words)
        members = group(self.machine, range(0, t * d, t), sharers=self._beside(t))
        if layout.sharded:
            data = reduce_scatter_seconds(members, GRADIENT * parameters)
            data += all_gather_seconds(members, WEIGHT * parameters)
        else:
            data = all_reduce_seconds(members, GRADIENT * parameters)
        share = parameters / (d if layout.sharded else 1)
        return After(tied, data, self._work(optimiser(share)).seconds)

    def _beside(self, stride: int) -> int:
        """Groups that start in one node when members lie `stride` apart."""
        return min(stride, self.machine.axes[-1].count)

    def _layer(self, part: Part, recompute: Recompute, among: Group) -> tuple[_Both, _Both]:
        exchange = _both(_sums(part, among, 2))
        forward = self._once(("forward", part), layer_forward(part)) + exchange
        backward = self._once(("backward", part), layer_backward(part)) + exchange
        if recompute is Recompute.FULL:
            backward += forward
        elif recompute is Recompute.SELECTIVE:
            backward += self._once(("core", part), core_forward(part))
        return forward, backward

    def _ends(self, part: Part, among: Group) -> tuple[tuple[_Both, _Both], tuple[_Both, _Both]]:
        """What the first and the last chunk do besides: forward and backward."""
        first = self._once(("embedding", part), embedding(part)) + _both(_sums(part, among, 1))
        exchange = _both(_sums(part, among, 1))
        small = _both(REDUCTIONS * all_reduce_seconds(among, SUM * part.tokens))
        forward = self._once(("head", part), head_forward(part)) + small
        backward = self._once(("head gradient", part), head_backward(part)) + exchange
        words = part.network.vocabulary * part.network.hidden / part.tensor
        summed = self._work((gradient_sum(words),))
        return (first, self._work(embedding(part)[:1]) + summed), (forward, backward + summed)

    def _hop(self, layout: Layout, part: Part) -> _Both:
        """A message to the next stage: each of the t parts sends its share (scatter/gather)."""
        if layout.pipeline == 1:
            return _Both()
        size = part.boundary_bytes / layout.tensor
        away = layout.tensor * layout.data
        return _both(point_to_point_seconds(self.machine, 0, away, size))

    def _once(self, key: Hashable, works: Iterable[Work]) -> _Both:
        if key not in self.known:
            self.known[key] = self._work(works)
        return self.known[key]

    def _work(self, works: Iterable[Work]) -> _Both:
        found = _Both()
        setting = Setting(self.unit.count)
        for one in works:
            if one not in self.known:
                self.known[one] = _Both(
                    estimate(self.machine, self.unit, one, setting).seconds,
                    lower_bound(self.machine, self.unit, one, setting),
                )
            found += self.known[one]
        return found


def pricer(network: Transformer, machine: Machine) -> Pricer:
    """On the unit that does a layer's product soonest.

    Raises:
        UnsupportedError: no unit has the arithmetic.
    """
    tokens = network.sequence
    unit = best_unit(machine, product(tokens, network.hidden, network.hidden))
    return Pricer(network, machine, unit)


def _both(seconds: float) -> _Both:
    return _Both(seconds, seconds)


def _sums(part: Part, among: Group, times: int) -> float:
    """Sums of an activation over the parts; along the sequence a scatter and a gather each."""
    if part.along_sequence:
        scatter = reduce_scatter_seconds(among, part.boundary_bytes)
        return times * (scatter + all_gather_seconds(among, part.boundary_bytes))
    return times * all_reduce_seconds(among, part.boundary_bytes)


def _gather(part: Part, among: Group) -> _Both:
    """The parts of a received message, put together."""
    if part.along_sequence:
        return _Both()
    return _both(all_gather_seconds(among, part.boundary_bytes))
