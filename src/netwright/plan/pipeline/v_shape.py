"""Placements in the shape of a V: worker w holds chunks w and 2p - 1 - w.

Qi et al., Pipeline Parallelism with Controllable Memory, NeurIPS 2024, arXiv 2405.15362. A
building block is repeated at the interval of one micro-batch's work; how long its passes wait for
each other sets the memory (V-Min about a third of 1F1B's, V-Half a half, V-ZB all of it), and
idle time is then squeezed out in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.errors import PlanError
from netwright.plan.pipeline.schedule import (
    FORWARD,
    INPUT_GRADIENT,
    WEIGHT_GRADIENT,
    Pass,
    Schedule,
)

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
HALF = (Block((1, 2, 1, 2), (1, 4, 2)), Block((1, 1, 2, 2), (1, 1, 3)))
ZERO = (Block((3, 3, 3, 3), (1, 1, 1)),)


def v_min(workers: int, microbatches: int) -> Schedule:
    """Least memory: about p / 3 activations."""
    return _first("v-min", MIN, workers, microbatches)


def v_half(workers: int, microbatches: int) -> Schedule:
    """Half of 1F1B's memory."""
    return _first("v-half", HALF, workers, microbatches)


def v_zero_bubble(workers: int, microbatches: int) -> Schedule:
    """As much memory as 1F1B, no bubble where F, B and W take the same time."""
    return _first("v-zb", ZERO, workers, microbatches)


def v_placement(workers: int) -> tuple[int, ...]:
    """Down the workers and up again."""
    return (*range(workers), *reversed(range(workers)))


def _first(name: str, blocks: tuple[Block, ...], workers: int, microbatches: int) -> Schedule:
    for block in blocks:
        starts = _starts(block, workers)
        free = [_free(starts, worker) for worker in range(workers)]
        if all(len(f) == 2 for f in free):
            return _repeated(name, starts, (workers, microbatches))
    raise PlanError(
        f"{name}: no building block without collisions for {workers} workers; use another number"
        " of workers, or zb-auto"
    )


def _starts(block: Block, workers: int) -> dict[tuple[str, int], int]:
    """(kind and chunk of the worker, worker) → unit of time of micro-batch 0."""
    f0, f1, b1, b0 = block.steps
    at: dict[tuple[str, int], int] = {}
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


def _free(starts: dict[tuple[str, int], int], worker: int) -> list[int]:
    """Units of the interval that F and B leave free on a worker; fewer than 2 are a collision."""
    taken = [starts[kind, worker] % INTERVAL for kind in ("F0", "F1", "B1", "B0")]
    if len(set(taken)) < 4:
        return []
    return [unit for unit in range(INTERVAL) if unit not in taken]


def _repeated(name: str, starts: dict[tuple[str, int], int], size: tuple[int, int]) -> Schedule:
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


def _weights(starts: dict[tuple[str, int], int], worker: int) -> tuple[int, int]:
    """When W of the later and of the earlier chunk run: the free units that hold least."""
    free = _free(starts, worker)

    def after(start: int, unit: int) -> int:
        return start + 1 + (unit - start - 1) % INTERVAL

    later, earlier = starts["B1", worker], starts["B0", worker]
    straight = after(later, free[0]), after(earlier, free[1])
    crossed = after(later, free[1]), after(earlier, free[0])
    return min(straight, crossed, key=sum)
