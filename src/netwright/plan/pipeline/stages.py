"""Stages: a network → chunks of even work, with what each takes, keeps and hands on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

from netwright.cost.link import message_seconds
from netwright.graph.element import type_of
from netwright.graph.graph import Graph
from netwright.graph.tensor import Role, TensorId
from netwright.machine.machine import Machine
from netwright.plan.pipeline.partition import Partition, partition
from netwright.plan.pipeline.price import PassSeconds, Prices, pass_seconds
from netwright.plan.pipeline.times import StageTimes
from netwright.transform.cut import Holders, cut, shared_weights
from netwright.transform.differentiate import Derivative, differentiate

_ITEM_BYTES = {"float": 4, "int": 8, "bool": 1}  # as torch holds them
_COPIES = 2  # of a message between processes of one member: into the system and out again


@final
@dataclass(frozen=True, slots=True)
class Chunks:
    """A network in chunks. `held_bytes`: kept of a micro-batch after F, and after B;
    `message_bytes[b]`: over boundary b, one way; `working_bytes`: made anew before a backward pass.
    """

    parts: tuple[Graph, ...]
    derivatives: tuple[Derivative, ...]
    passes: tuple[PassSeconds, ...]
    held_bytes: tuple[tuple[int, int], ...]
    message_bytes: tuple[int, ...]
    partition: Partition
    shared: tuple[Holders, ...]  # weights that several chunks hold
    recompute: bool = False
    working_bytes: tuple[int, ...] = ()

    def priced(self, prices: Prices) -> Chunks:
        """The same cuts by other prices; the partition is still judged by those that made it."""
        return replace(
            self,
            passes=tuple(pass_seconds(one, prices, self.recompute) for one in self.derivatives),
        )

    def stage_times(self, placement: tuple[int, ...], messages: tuple[float, ...]) -> StageTimes:
        """By worker; `messages[b]` is the seconds of one over boundary b.

        A worker that sends over several boundaries counts with the slowest.
        """
        workers = range(max(placement) + 1)

        def column(name: str) -> tuple[float, ...]:
            by_chunk = [getattr(one, name).expected for one in self.passes]
            return tuple(
                sum(s for s, w in zip(by_chunk, placement, strict=True) if w == worker)
                for worker in workers
            )

        around = (0.0, *messages, 0.0)
        transfer = tuple(
            max(max(around[c], around[c + 1]) for c, w in enumerate(placement) if w == worker)
            for worker in workers
        )
        early, late = self.activations(placement)
        return StageTimes(
            column("forward"), column("input"), column("weight"), transfer, min(late / early, 1.0)
        )

    def activations(self, placement: tuple[int, ...]) -> tuple[int, int]:
        """Bytes that a worker keeps of a micro-batch after F and after B, the most of any."""
        early, late = (
            max(
                sum(h[i] for h, w in zip(self.held_bytes, placement, strict=True) if w == worker)
                for worker in set(placement)
            )
            for i in (0, 1)
        )
        return max(early, 2), late


def chunks_of_network(graph: Graph, count: int, prices: Prices, recompute: bool = False) -> Chunks:
    """Cuts a flat network so that the chunk with most seconds of F, B and W has as few as can be.

    `recompute`: B begins with F, and until then only a chunk's inputs are kept.

    Raises:
        PlanError: it cannot be cut into so many.
        UnsupportedError: an operator has no gradient, or a size is a symbol.
    """
    found = partition(
        graph, count, lambda piece: pass_seconds(differentiate(piece), prices, recompute).total
    )
    parts = cut(graph, found.places)
    derivatives = tuple(differentiate(part) for part in parts)
    return Chunks(
        parts,
        derivatives,
        tuple(pass_seconds(one, prices, recompute) for one in derivatives),
        tuple(_held_bytes(one, recompute) for one in derivatives),
        tuple(_bytes(part, {part.outputs[0]}) for part in parts[:-1]),
        found,
        shared_weights(graph, found.places),
        recompute,
        tuple(_held_bytes(one, False)[0] if recompute else 0 for one in derivatives),
    )


def shared_bytes(found: Chunks, holders: Holders) -> int:
    """What the sum of a shared weight's gradients takes: float64."""
    chunk, place = holders[0]
    sizes = [size for size in found.parts[chunk][place].shape if isinstance(size, int)]
    return 2 * _ITEM_BYTES["float"] * math.prod(sizes)


def boundary_seconds(
    machine: Machine, placement: tuple[int, ...], message_bytes: tuple[int, ...]
) -> tuple[float, ...]:
    """A message over every boundary: worker w is member w of the machine.

    Where there are fewer members than workers, all are processes on one: a message is copied twice
    through its memory (what waking the receiver costs is not known).

    Raises:
        MachineError: no link joins two members.
    """
    workers = max(placement) + 1
    return tuple(
        worker_seconds(machine, workers, (placement[boundary], placement[boundary + 1]), size)
        for boundary, size in enumerate(message_bytes)
    )


def worker_seconds(machine: Machine, workers: int, ends: tuple[int, int], size: int) -> float:
    """A message of so many bytes from one worker to another.

    Raises:
        MachineError: no link joins the two.
    """
    sender, receiver = ends
    if sender == receiver:
        return 0.0
    if machine.num_devices >= workers:
        return message_seconds(machine, sender, receiver, size)
    return _copied(machine, size)


def _copied(machine: Machine, size: int) -> float:
    home = machine.home(machine.units[0])
    read = home.read_bytes_per_second
    write = home.write_bytes_per_second or read
    rates = [rate for rate in (read, write) if rate is not None]
    return sum(_COPIES * size / rate for rate in rates)


def _held_bytes(found: Derivative, recompute: bool) -> tuple[int, int]:
    """What a chunk keeps of a micro-batch after its forward pass, and after its input gradient."""
    late = {*found.weight_gradient.inputs, *(of for _, of in found.weights)}
    early = {*found.input_gradient.inputs, *found.weight_gradient.inputs}
    made = {*found.forward.outputs, *found.forward.inputs}
    after = made | set(found.input_gradient.outputs) | {seed for _, seed in found.seeds}
    kept = set(found.forward.inputs) if recompute else early & made
    return _bytes(found.forward, kept), _bytes(found.forward, late & after)


def _bytes(graph: Graph, places: set[TensorId]) -> int:
    total = 0
    for place in places:
        tensor = graph[place]
        if tensor.role is Role.WEIGHT:
            continue
        size = _ITEM_BYTES[type_of(tensor).element]
        for extent in tensor.shape:
            size *= extent if isinstance(extent, int) else 1
        total += size
    return total
