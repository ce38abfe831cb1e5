"""Connectivity: each way of keeping the synapses is an offer, picked by its price.

Rows of synapses (CSR), the whole matrix (rows of it are added), or none (made again by the
generator). Targets are cut into blocks, one a part, so that no two parts write the same neuron.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import UnsupportedError
from netwright.graph.op import Op
from netwright.graph.ops.connect import ConvConnect, DenseConnect, RandomConnect, SparseConnect
from netwright.graph.ops.philox import chance_bound, poisson_bounds
from netwright.graph.ops.spike_time import Poisson, SpikeSource
from netwright.plan.lower.emitter import Emitter, unsupported
from netwright.plan.lower.neuron import spike_rows_of
from netwright.plan.lower.step import BufferId, Offer, View, Weight, row_major

Array: TypeAlias = NDArray[Any]

DENSE_SHARE = 0.02  # of all pairs joined, below which the whole matrix is not even offered
MOST_NARROW = 1 << 16  # neurons that a 16-bit target can name
MOST_MATRIX_BYTES = 1 << 28
_BLOCK = 16  # neurons: blocks of targets are multiples of it (native/kernels/spike_shape.hpp)


@final
@dataclass(frozen=True, slots=True)
class Rows:
    """Synapses by source: row i is starts[i] .. starts[i + 1]; `weight` one or one a synapse."""

    starts: Array
    target: Array
    weight: Array


def lower_sparse(emitter: Emitter, op: Op) -> None:
    """SparseConnect: one step a delay, each with rows of its own."""
    assert isinstance(op.kind, SparseConnect)
    starts, target, weight = (known(emitter, op, i) for i in (2, 3, 4))
    delays = known(emitter, op, 5) if len(op.inputs) > 5 and op.inputs[5] is not None else None
    sum_, fresh = _sum(emitter, op, 6)
    sources = len(starts) - 1
    if delays is None:
        groups = [(op.kind.delay, Rows(starts, target, weight))]
    else:
        source = np.repeat(np.arange(sources), np.diff(starts))
        groups = [
            (int(delay), _chosen(source, target, weight, delays == delay, sources))
            for delay in np.unique(delays)
        ]
    for index, (delay, rows) in enumerate(groups):
        where = (delay, op.kind.first, sources)
        made = _Made(emitter, op, sum_, where, fresh and index == 0, index)
        offers = [made.sparse(rows)]
        share = len(rows.target) / max(1, sources * op.kind.targets)
        if share > DENSE_SHARE and 4 * sources * op.kind.targets <= MOST_MATRIX_BYTES:
            offers.append(made.dense(lambda r=rows: _matrix(r, op), op.kind.targets))
        made.emit(offers)


def lower_dense(emitter: Emitter, op: Op) -> None:
    """DenseConnect: rows of the matrix, or of synapses where most weights are zero."""
    assert isinstance(op.kind, DenseConnect)
    weight = known(emitter, op, 2)
    sum_, fresh = _sum(emitter, op, 3)
    made = _Made(emitter, op, sum_, (op.kind.delay, op.kind.first, len(weight)), fresh, 0)
    offers = [made.dense(lambda: weight, weight.shape[1])]
    if np.count_nonzero(weight) < weight.size / 2:
        offers.append(made.sparse(rows_of(weight)))
    made.emit(offers)


def lower_conv_connect(emitter: Emitter, op: Op) -> None:
    """ConvConnect: the synapses that the kernel stands for, kept as rows."""
    assert isinstance(op.kind, ConvConnect)
    weight = known(emitter, op, 2)
    sum_, fresh = _sum(emitter, op, 3)
    number = int(np.prod(op.kind.shape))
    made = _Made(emitter, op, sum_, (op.kind.delay, op.kind.first, number), fresh, 0)
    made.emit([made.sparse(unfolded(op.kind, weight))])


def lower_random(emitter: Emitter, op: Op) -> None:
    """RandomConnect: kept as rows, or made again for every spike."""
    kind = op.kind
    assert isinstance(kind, RandomConnect)
    sum_, fresh = _sum(emitter, op, 2)
    made = _Made(emitter, op, sum_, (kind.delay, kind.first, kind.sources), fresh, 0)
    synapses = kind.sources * kind.targets * kind.chance
    offers = [made.procedural(kind)]
    if synapses <= 1 << 31:
        offers.insert(0, made.sparse(drawn(kind)))
    made.emit(offers)


def lower_poisson(emitter: Emitter, op: Op) -> None:
    """Poisson."""
    kind = op.kind
    assert isinstance(kind, Poisson)
    sum_, fresh = _sum(emitter, op, 1)
    bounds = poisson_bounds(kind.mean)
    table = emitter.cached_constant(("poisson", kind.mean), lambda: bounds, "int64", op.name)
    parameters = [kind.seed, kind.stream, int(fresh), float(kind.weight)]
    work = kind.neurons * (12.0 + 2.0 * len(bounds))
    emitter.emit("poisson", [sum_], [_clock(emitter, op, 0), table], parameters, op.name, work)


def lower_spike_source(emitter: Emitter, op: Op) -> None:
    """SpikeSource: bits, into the ring of its history and into the record."""
    kind = op.kind
    assert isinstance(kind, SpikeSource)
    ring, _, record = spike_rows_of(emitter, op.outputs[0])
    if ring is None:
        raise unsupported(op, "its spikes are not remembered (Remember); nothing else reads them")
    chance = known(emitter, op, 1)
    bounds = np.array([chance_bound(float(c)) for c in chance], np.int64)
    table = emitter.constant(bounds, "int64", op.name)
    parameters = [kind.seed, kind.stream, kind.neurons, float(np.mean(chance)) * kind.neurons]
    clock = _clock(emitter, op, 0)
    work = 12.0 * kind.neurons
    emitter.emit("spike_source", [ring, record], [clock, table], parameters, op.name, work)


def _clock(emitter: Emitter, op: Op, index: int) -> View:
    tensor = op.inputs[index]
    assert tensor is not None
    return emitter.read(tensor)


def known(emitter: Emitter, op: Op, index: int) -> Array:
    """The value of an operand that must be a weight."""
    tensor = op.inputs[index]
    assert tensor is not None
    if not emitter.is_constant(tensor):
        raise unsupported(op, f"its operand {index} is computed; synapses must be weights")
    return emitter.array(tensor)


def _sum(emitter: Emitter, op: Op, index: int) -> tuple[View, bool]:
    """Where the sum is made, and whether it has to be cleared first."""
    onto = op.inputs[index] if index < len(op.inputs) else None
    (out,) = op.outputs
    if onto is None:
        view = emitter.scratch(emitter.graph[out].shape, "fp32", op.name)
        emitter.views[out] = view
        return view, True
    view = emitter.read(onto)
    free = not emitter.is_constant(onto) and emitter.only_reader(onto, op)
    if not free or view.format != "fp32" or not view.contiguous:
        fresh = emitter.scratch(view.shape, "fp32", op.name)
        emitter.emit("copy", [fresh], [view], [], op.name)
        view = fresh
    emitter.views[out] = view
    return view, False


@final
@dataclass(frozen=True, slots=True)
class _Made:
    """The offers of one connection. `where` is (delay, first, sources)."""

    emitter: Emitter
    op: Op
    sum_: View
    where: tuple[int, int, int]
    fresh: bool
    index: int

    @property
    def spikes(self) -> float:
        """Spikes of the sources that a step is expected to bring."""
        history = self.op.inputs[0]
        assert history is not None
        return self.emitter.graph[history].density * self.where[2]

    @property
    def targets(self) -> int:
        return self.emitter.most(self.sum_.shape[-1])

    def _read(self) -> list[View]:
        history, clock = self.op.inputs[:2]
        assert history is not None and clock is not None
        return [self.emitter.read(clock), self.emitter.read(history)]

    def _common(self) -> list[int]:
        return [*self.where, int(self.fresh)]

    def sparse(self, rows: Rows) -> Offer:
        """Rows of synapses, narrow targets where there are few enough neurons."""
        emitter, key = self.emitter, (self.op.outputs[0], self.index)
        form = "uint16" if self.targets <= MOST_NARROW else "int32"
        events = self.spikes * len(rows.target) / max(1, self.where[2])
        blocks = emitter.parts(2.0 * events + self.targets / 8)
        cut = in_blocks(rows, self.targets, blocks)
        starts = emitter.cached_constant(
            ("starts", *key, blocks), lambda: cut.starts.astype(np.int32), "int32", self.op.name
        )
        weight = emitter.cached_constant(
            ("weights", *key, blocks), lambda: cut.weight.astype(np.float32), "fp32", self.op.name
        )
        size = (2 if form == "uint16" else 4) * len(rows.target)
        seen = View(BufferId(-1), 0, form, (len(rows.target),), (2 if form == "uint16" else 4,))
        target = Weight(
            seen,
            size + 4 * cut.starts.size + 4 * len(cut.weight),
            lambda: emitter.cached_constant(
                ("targets", *key, blocks), lambda: cut.target.astype(form), form, self.op.name
            ),
        )
        clock, history = self._read()
        step = emitter.step(
            "spike_scatter",
            [self.sum_],
            [clock, history, starts, target.seen, weight],
            [*self._common(), float(self.spikes)],
            self.op.name,
        )
        return Offer("rows of synapses", replace(step, parts=blocks), target, 4)

    def dense(self, make: Any, targets: int) -> Offer:
        """The whole matrix: rows of it are added."""
        emitter, sources = self.emitter, self.where[2]
        shape = (sources, targets)
        key = ("matrix", self.op.outputs[0], self.index)
        matrix = Weight(
            View(BufferId(-1), 0, "fp32", shape, row_major(shape, 4)),
            4 * sources * targets,
            lambda: emitter.cached_constant(
                key, lambda: np.ascontiguousarray(make(), np.float32), "fp32", self.op.name
            ),
        )
        step = emitter.step(
            "spike_rows",
            [self.sum_],
            [*self._read(), matrix.seen],
            [*self._common(), float(self.spikes)],
            self.op.name,
            self.spikes * targets,
        )
        return Offer("rows of the whole matrix", step, matrix, 3)

    def procedural(self, kind: RandomConnect) -> Offer:
        """No memory: a row is drawn whenever its source fires."""
        emitter = self.emitter
        parameters = [
            *self._common(), kind.seed, kind.stream, chance_bound(kind.chance), float(kind.weight),
            float(self.spikes),
        ]  # fmt: skip
        work = 10.0 * self.spikes * kind.targets
        step = emitter.step(
            "spike_procedural", [self.sum_], self._read(), parameters, self.op.name, work
        )
        clock = step.operands[1]
        assert clock is not None
        return Offer("drawn at every spike", step, Weight(clock, 0, lambda: clock), 1)

    def emit(self, offers: Sequence[Offer]) -> None:
        """The offer of least price."""
        if self.sum_.shape[-1] == 0:
            raise UnsupportedError("no targets")
        self.emitter.emit_best(offers)


def _chosen(source: Array, target: Array, weight: Array, which: Array, sources: int) -> Rows:
    """The synapses of one delay."""
    counts = np.bincount(source[which], minlength=sources)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return Rows(starts, target[which], weight if len(weight) == 1 else weight[which])


def in_blocks(rows: Rows, targets: int, blocks: int) -> Rows:
    """Starts [blocks, sources + 1]: of each block of targets the rows one after another."""
    sources = len(rows.starts) - 1
    if blocks == 1:
        return Rows(rows.starts[None], rows.target, rows.weight)
    units = -(-targets // _BLOCK)
    ends = np.minimum(units * np.arange(1, blocks + 1) // blocks * _BLOCK, targets)
    block = np.searchsorted(ends, rows.target, side="right")
    source = np.repeat(np.arange(sources), np.diff(rows.starts))
    place = block * sources + source
    order = np.argsort(place, kind="stable")
    flat = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=blocks * sources))])
    starts = np.stack([flat[b * sources : (b + 1) * sources + 1] for b in range(blocks)])
    weight = rows.weight if len(rows.weight) == 1 else rows.weight[order]
    return Rows(starts, rows.target[order], weight)


def _matrix(rows: Rows, op: Op) -> Array:
    assert isinstance(op.kind, SparseConnect)
    sources = len(rows.starts) - 1
    matrix = np.zeros((sources, op.kind.targets))
    source = np.repeat(np.arange(sources), np.diff(rows.starts))
    np.add.at(matrix, (source, rows.target), np.broadcast_to(rows.weight, rows.target.shape))
    return matrix


def rows_of(matrix: Array) -> Rows:
    """The weights that are not zero."""
    source, target = np.nonzero(matrix)
    counts = np.bincount(source, minlength=len(matrix))
    return Rows(np.concatenate([[0], np.cumsum(counts)]), target, matrix[source, target])


def drawn(kind: RandomConnect) -> Rows:
    """The whole wiring, a few sources at a time."""
    counts, targets = [np.zeros(1, np.int64)], [np.zeros(0, np.int64)]
    for first in range(0, kind.sources, 256):
        joined = kind.joined(np.arange(first, min(first + 256, kind.sources)))
        counts.append(joined.sum(axis=1))
        targets.append(np.nonzero(joined)[1])
    return Rows(np.cumsum(np.concatenate(counts)), np.concatenate(targets), np.array([kind.weight]))


def unfolded(kind: ConvConnect, weight: Array) -> Rows:
    """Synapse by synapse: every tap of the kernel at every place where it meets the input."""
    channels, high, wide = kind.shape
    out, rows, columns = kind.output(weight.shape)
    o, c, i, j, y, x = np.meshgrid(
        *(np.arange(n) for n in (out, channels, *weight.shape[2:], rows, columns)), indexing="ij"
    )
    at_y, at_x = y * kind.stride + i - kind.padding, x * kind.stride + j - kind.padding
    inside = (at_y >= 0) & (at_y < high) & (at_x >= 0) & (at_x < wide)
    source = ((c * high + at_y) * wide + at_x)[inside]
    target = ((o * rows + y) * columns + x)[inside]
    order = np.lexsort((target, source))
    counts = np.bincount(source, minlength=channels * high * wide)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return Rows(starts, target[order], weight[o, c, i, j][inside][order])
