"""Layout: how a step of training is laid over devices, and which layouts there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from netwright.cost.transformer import Part, Transformer
from netwright.errors import JobError


@final
class Recompute(StrEnum):
    """What the backward pass does again instead of having kept it."""

    NONE = "none"
    SELECTIVE = "selective"  # the attention's scores (arXiv 2205.05198)
    FULL = "full"  # every layer, from its input


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """`tensor` x `pipeline` x `data` devices; micro-batches of `microbatch` sequences.

    `chunks` of layers a stage (interleaved above 1). Members are numbered through tensor, then
    data, then pipeline. `along_sequence`: sequence parallelism. `sharded`: each data-parallel
    member has a share of the optimiser's state (ZeRO, stage 1).
    """

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    microbatch: int = 1
    chunks: int = 1
    recompute: Recompute = Recompute.FULL
    along_sequence: bool = False
    sharded: bool = False

    @property
    def devices(self) -> int:
        """How many it takes."""
        return self.tensor * self.pipeline * self.data

    def microbatches(self, batch: int) -> int:
        """Of one step, through each pipeline."""
        return batch // (self.data * self.microbatch)

    def part(self, network: Transformer) -> Part:
        """What one device has of a layer."""
        return Part(network, self.microbatch, self.tensor, self.along_sequence)

    def chunk_layers(self, network: Transformer) -> int:
        """Layers of one chunk."""
        return network.layers // (self.pipeline * self.chunks)

    def __str__(self) -> str:
        kinds = [f"t{self.tensor} p{self.pipeline} d{self.data}", f"micro-batch {self.microbatch}"]
        kinds += [f"{self.chunks} chunks"] if self.chunks > 1 else []
        kinds += [f"recompute {self.recompute}"]
        kinds += ["sequence parallel"] if self.along_sequence else []
        return ", ".join(kinds + (["sharded optimiser"] if self.sharded else []))


def check_layout(layout: Layout, network: Transformer, batch: int) -> None:
    """Raises JobError where the layout does not divide the network or the batch; says what does."""
    t, p, d, v = layout.tensor, layout.pipeline, layout.data, layout.chunks
    counts = (t, p, d, v, layout.microbatch, batch)
    problem = ""
    if min(counts) < 1:
        problem = "counts below 1; expected all from 1 up"
    elif network.heads % t or network.hidden % t or network.vocabulary % t:
        problem = (
            f"{t} tensor parts of {network.heads} heads, width {network.hidden} and"
            f" {network.vocabulary} words; expected a divisor of all three (pad the words)"
        )
    elif network.layers % (p * v):
        problem = f"{network.layers} layers over {p} stages of {v} chunks; expected equal chunks"
    elif v > 1 and p == 1:
        problem = f"{v} chunks on one stage; interleaving needs two stages or more"
    elif batch % (d * layout.microbatch):
        problem = f"a batch of {batch}; expected a multiple of d x micro-batch"
    elif v > 1 and layout.microbatches(batch) % p:
        problem = (
            f"{layout.microbatches(batch)} micro-batches, interleaved over {p} stages; expected a"
            f" multiple of {p}"
        )
    elif layout.along_sequence and (t == 1 or network.sequence % t):
        problem = f"sequence parallelism over {t} tensor parts; expected 2 or more that divide it"
    if problem:
        raise JobError(f"layout {layout}: {problem}")


@final
@dataclass(frozen=True, slots=True)
class Space:
    """Which layouts are weighed. `most_tensor`: the most tensor parts (None: the devices of a
    node); `microbatches`: sizes to try; `fixed`: (t, p, d) where these are given.
    """

    devices: int
    batch: int
    recomputes: tuple[Recompute, ...] = (Recompute.FULL,)
    along_sequence: tuple[bool, ...] = (False,)
    sharded: tuple[bool, ...] = (False,)
    microbatches: tuple[int, ...] = (1, 2, 4, 8, 16)
    most_chunks: int = 8
    most_tensor: int | None = None
    fixed: tuple[int, int, int] | None = None


def layouts(network: Transformer, space: Space, node: int) -> Iterator[Layout]:
    """Every layout of the space that divides network and batch; `node`: devices of one.

    Raises:
        JobError: the space has fewer than one device or sequence.
    """
    if min(space.devices, space.batch, *space.microbatches) < 1:
        raise JobError(
            f"{space.devices} devices, a batch of {space.batch}, micro-batches of"
            f" {list(space.microbatches)}; expected all from 1 up"
        )
    for t, p, d in _shapes(network, space, space.most_tensor or node):
        for size in space.microbatches:
            for v in _divisors(network.layers // p, space.most_chunks if p > 1 else 1):
                for one in _options(space, t, p, d):
                    found = Layout(t, p, d, size, v, *one)
                    try:
                        check_layout(found, network, space.batch)
                    except JobError:
                        continue
                    yield found


def _shapes(network: Transformer, space: Space, most_tensor: int) -> Iterator[tuple[int, int, int]]:
    if space.fixed is not None:
        yield space.fixed
        return
    for t in _divisors(space.devices, most_tensor):
        for p in _divisors(space.devices // t, network.layers):
            if network.layers % p == 0:
                yield t, p, space.devices // (t * p)


def _options(
    space: Space, tensor: int, pipeline: int, data: int
) -> Iterator[tuple[Recompute, bool, bool]]:
    for recompute in space.recomputes:
        for along in {a and tensor > 1 for a in space.along_sequence}:
            for sharded in {s and data > 1 for s in space.sharded}:
                yield recompute, along, sharded


def _divisors(number: int, most: int) -> tuple[int, ...]:
    return tuple(n for n in range(1, min(number, most) + 1) if number % n == 0)
