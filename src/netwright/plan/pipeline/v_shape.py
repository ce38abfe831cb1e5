"""Placements in the shape of a V: worker w holds chunks w and 2p - 1 - w.

Qi et al., Pipeline Parallelism with Controllable Memory, NeurIPS 2024, arXiv 2405.15362. A
building block is repeated at the interval of one micro-batch's work; how long its passes wait for
each other sets the memory (V-Min about a third of 1F1B's, V-Half a half, V-ZB all of it), and
idle time is then squeezed out in order; `reorder` moves passes of warm-up and cool-down too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.errors import PlanError
from netwright.plan.pipeline.schedule import (
    FORWARD,
    INPUT_GRADIENT,
    WEIGHT_GRADIENT,
    Pass,
    Schedule,
)
from netwright.plan.pipeline.v_reorder import reordered

_Starts: TypeAlias = dict[tuple[str, int], int]  # leg, worker → unit of micro-batch 0
INTERVAL = 6  # F, B and W of two chunks, one unit of time each


@final
@dataclass(frozen=True, slots=True)
class Block:
    """Units of time between neighbouring workers on the way (F0, F1, B1, B0), and at the turns.

    `turns`: F0 to F1 on the last worker, F1 to B1 on the first, B1 to B0 on the last.
    """

    steps: tuple[int, int, int, int]
    turns: tuple[int, int, int]


# Found by trying all offsets free of collisions for p = 2 to 16: the least memory of their kind.
MIN = (Block((1, 1, 1, 1), (1, 1, 1)), Block((1, 1, 1, 1), (1, 3, 1)))
HALF = (
    Block((1, 2, 1, 2), (1, 4, 2)),
    Block((1, 1, 2, 2), (1, 1, 3)),
    Block((2, 1, 2, 1), (1, 1, 2)),  # odd numbers of workers
)
LEGS = ("F0", "F1", "B1", "B0")
ZERO = (Block((3, 3, 3, 3), (1, 1, 1)),)
BLOCKS = {"v-min": MIN, "v-half": HALF, "v-zb": ZERO}


def v_min(workers: int, microbatches: int) -> Schedule:
    """Least memory: about p / 3 activations."""
    return _repeated("v-min", _first("v-min", workers), (workers, microbatches))


def v_half(workers: int, microbatches: int) -> Schedule:
    """Half of 1F1B's memory."""
    return _repeated("v-half", _first("v-half", workers), (workers, microbatches))


def v_zero_bubble(workers: int, microbatches: int) -> Schedule:
    """As much memory as 1F1B, no bubble where F, B and W take the same time."""
    return _repeated("v-zb", _first("v-zb", workers), (workers, microbatches))


def v_placement(workers: int) -> tuple[int, ...]:
    """Down the workers and up again."""
    return (*range(workers), *reversed(range(workers)))


def lifespan_peaks(name: str, workers: int) -> tuple[float, ...]:
    """The most that each worker can hold, in activations, from how long the block's passes live.

    An activation lives from the start of its F to the end of its W; every `INTERVAL` units there is
    one more, so ceil(lifespan / interval) of each chunk are alive at once (arXiv 2405.15362, 3.1).

    Raises:
        PlanError: there is no block for so many workers.
    """
    starts = _first(name, workers)
    found: list[float] = []
    for worker in range(workers):
        later, earlier = _weights(starts, worker)
        lives = (later + 1 - starts["F1", worker], earlier + 1 - starts["F0", worker])
        found.append(sum(-(-life // INTERVAL) for life in lives) / len(lives))
    return tuple(found)


def reorder(name: str, workers: int, microbatches: int) -> Schedule:
    """The block of this name, with warm-up and cool-down reordered (arXiv 2405.15362).

    Raises:
        PlanError: there is no block for so many workers.
    """
    starts = _first(name, workers)
    legs = [
        [[starts[leg, w] + INTERVAL * batch for batch in range(microbatches)] for leg in LEGS]
        for w in range(workers)
    ]
    return Schedule(name, reordered(legs), v_placement(workers), microbatches)


def _first(name: str, workers: int) -> _Starts:
    for block in BLOCKS[name]:
        starts = _starts(block, workers)
        if all(len(_free(starts, worker)) == 2 for worker in range(workers)):
            return starts
    raise PlanError(
        f"{name}: no building block without collisions for {workers} workers; use another number"
        " of workers, or zb-auto"
    )


def _starts(block: Block, workers: int) -> _Starts:
    """(kind and chunk of the worker, worker) → unit of time of micro-batch 0."""
    f0, f1, b1, b0 = block.steps
    at: _Starts = {}
    last = workers - 1
    for worker in range(workers):
        at["F0", worker] = worker * f0
    for worker in reversed(range(workers)):
        at["F1", worker] = at["F0", last] + block.turns[0] + (last - worker) * f1
    for worker in range(workers):
        at["B1", worker] = at["F1", 0] + block.turns[1] + worker * b1
    for worker in reversed(range(workers)):
        at["B0", worker] = at["B1", last] + block.turns[2] + (last - worker) * b0
    return at


def _free(starts: _Starts, worker: int) -> list[int]:
    """Units of the interval that F and B leave free on a worker; fewer than 2 are a collision."""
    taken = [starts[kind, worker] % INTERVAL for kind in ("F0", "F1", "B1", "B0")]
    if len(set(taken)) < 4:
        return []
    return [unit for unit in range(INTERVAL) if unit not in taken]


def _repeated(name: str, starts: _Starts, size: tuple[int, int]) -> Schedule:
    """The block, once a micro-batch; running in order squeezes idle time out."""
    workers, microbatches = size
    orders: list[tuple[Pass, ...]] = []
    for worker in range(workers):
        chunks = (worker, 2 * workers - 1 - worker)
        # The chunk whose B comes first has its W in the first free unit after it.
        first, second = _weights(starts, worker)
        at: list[tuple[int, Pass]] = []
        for batch in range(microbatches):
            shift = batch * INTERVAL
            at += [
                (starts["F0", worker] + shift, Pass(FORWARD, chunks[0], batch)),
                (starts["F1", worker] + shift, Pass(FORWARD, chunks[1], batch)),
                (starts["B1", worker] + shift, Pass(INPUT_GRADIENT, chunks[1], batch)),
                (starts["B0", worker] + shift, Pass(INPUT_GRADIENT, chunks[0], batch)),
                (first + shift, Pass(WEIGHT_GRADIENT, chunks[1], batch)),
                (second + shift, Pass(WEIGHT_GRADIENT, chunks[0], batch)),
            ]
        at.sort(key=lambda item: item[0])
        orders.append(tuple(step for _, step in at))
    return Schedule(name, tuple(orders), v_placement(workers), microbatches)


def _weights(starts: _Starts, worker: int) -> tuple[int, int]:
    """When W of the later and of the earlier chunk run: the free units that hold least."""
    free = _free(starts, worker)

    def after(start: int, unit: int) -> int:
        return start + 1 + (unit - start - 1) % INTERVAL

    later, earlier = starts["B1", worker], starts["B0", worker]
    straight = after(later, free[0]), after(earlier, free[1])
    crossed = after(later, free[1]), after(earlier, free[0])
    return min(straight, crossed, key=sum)
