"""Reordering of a repeated building block: passes of warm-up and cool-down into earlier free units.

Qi et al., arXiv 2405.15362, section on squeezing and reordering. Before the steady state and after
it most units of a worker are free: a pass moves to the first of them that comes after all that it
waits for, where the worker then holds no more than the block does. Weight gradients are then put
wherever a unit is still free.
"""

from __future__ import annotations

from itertools import accumulate

from netwright.plan.pipeline.schedule import (
    FORWARD,
    INPUT_GRADIENT,
    WEIGHT_GRADIENT,
    Pass,
)

# Legs of a micro-batch's way: F0 down the workers, F1 up again, B1 down, B0 up; then its two Ws.
DOWN, UP, BACK_DOWN, BACK_UP, WEIGHT = range(5)
Starts = list[list[list[int]]]  # [worker][leg][micro-batch] → unit of time
_WARM_UP, _STEADY, _COOL_DOWN = range(3)


def reordered(starts: Starts) -> tuple[tuple[Pass, ...], ...]:
    """The orders of all workers. `starts`: of the four legs of every worker, a unit each."""
    legs = [[list(leg) for leg in worker] for worker in starts]
    _move([[*worker, _weights(worker)] for worker in legs], legs, warm_up=True)
    _move(legs, legs, warm_up=False)
    return tuple(_order(worker, len(legs), w) for w, worker in enumerate(legs))


def _move(table: Starts, legs: Starts, warm_up: bool) -> None:
    """Moves passes of `table` in place, in order of time, and copies the four legs to `legs`.

    With `warm_up` the weight gradients are in the table and move too; without, they are put anew
    when memory is looked at.
    """
    busy = [{unit for leg in worker for unit in leg} for worker in table]
    most = max(_peak(worker) for worker in table)
    phase = _WARM_UP
    last = len(table[0][DOWN]) - 1
    passes = sorted(
        (unit, w, leg, batch)
        for w, worker in enumerate(table)
        for leg, units in enumerate(worker)
        for batch, unit in enumerate(units)
    )
    for unit, w, leg, batch in passes:
        if (w, leg, phase) == (0, BACK_UP, _WARM_UP):
            phase = _STEADY
        if phase == _STEADY:
            if (leg, batch) == (DOWN, last):
                phase = _COOL_DOWN
            continue
        if phase == _WARM_UP and not warm_up:
            continue
        for earlier in range(_ready(table, w, leg, batch), unit):
            if earlier in busy[w]:
                continue
            table[w][leg][batch] = earlier
            # Only an earlier forward pass, or a weight gradient that it delays, holds more.
            if (leg > UP and warm_up) or _peak(table[w]) <= most:
                busy[w].remove(unit)
                busy[w].add(earlier)
                break
            table[w][leg][batch] = unit
    for w, worker in enumerate(table):
        legs[w][:] = worker[:WEIGHT]
    _squeeze(legs)


def _ready(table: Starts, w: int, leg: int, batch: int) -> int:
    """The first unit after all that a pass waits for."""
    if leg == WEIGHT:
        gradients = sorted((*table[w][BACK_DOWN], *table[w][BACK_UP]))
        waits = [gradients[batch]]
    else:
        waits = [table[w][leg - 1][batch]] if leg > DOWN else []
        peer = w - 1 if leg in (DOWN, BACK_DOWN) else w + 1
        if 0 <= peer < len(table):
            waits.append(table[peer][leg][batch])
    if batch:
        waits.append(table[w][leg][batch - 1])
    return max(waits, default=-1) + 1


def _weights(worker: list[list[int]]) -> list[int]:
    """A unit for every weight gradient: the first free ones after the input gradients."""
    busy = {unit for leg in worker for unit in leg}
    found: list[int] = []
    unit = -1
    for gradient in sorted((*worker[BACK_DOWN], *worker[BACK_UP])):
        unit = max(unit, gradient) + 1
        while unit in busy:
            unit += 1
        found.append(unit)
    return found


def _peak(worker: list[list[int]]) -> int:
    """The most that a worker holds, in chunks: F takes one, W gives it back."""
    weights = worker[WEIGHT] if len(worker) > WEIGHT else _weights(worker)
    events = [(unit, 1) for unit in (*worker[DOWN], *worker[UP])]
    events += [(unit, -1) for unit in weights]
    return max(accumulate(change for _, change in sorted(events)))


def _squeeze(legs: Starts) -> None:
    """Every pass as early as the order of its worker lets it, weight gradients included."""
    table = [[*worker, _weights(worker)] for worker in legs]
    passes = sorted(
        (unit, w, leg, batch)
        for w, worker in enumerate(table)
        for leg, units in enumerate(worker)
        for batch, unit in enumerate(units)
    )
    clock = [0] * len(legs)
    done: Starts = [[[] for _ in worker] for worker in table]
    for _, w, leg, batch in passes:
        clock[w] = max(clock[w], _ready_after(done, w, leg, batch)) + 1
        done[w][leg].append(clock[w] - 1)
    for w, worker in enumerate(done):
        legs[w][:] = worker[:WEIGHT]


def _ready_after(done: Starts, w: int, leg: int, batch: int) -> int:
    """As `_ready`, where only earlier passes stand in the table."""
    if leg == WEIGHT:
        return 0  # its gradient comes before it on the same worker
    waits = [done[w][leg - 1][batch]] if leg > DOWN else []
    peer = w - 1 if leg in (DOWN, BACK_DOWN) else w + 1
    if 0 <= peer < len(done):
        waits.append(done[peer][leg][batch])
    return max(waits, default=-1) + 1


def _order(worker: list[list[int]], workers: int, w: int) -> tuple[Pass, ...]:
    """Passes by time; of the gradients that are done, the earlier has its W first."""
    early, late = w, 2 * workers - 1 - w
    chunks = {DOWN: early, UP: late, BACK_DOWN: late, BACK_UP: early}
    at: list[tuple[int, Pass]] = []
    for leg, units in enumerate(worker):
        kind = FORWARD if leg <= UP else INPUT_GRADIENT
        at += [(unit, Pass(kind, chunks[leg], batch)) for batch, unit in enumerate(units)]
    gradients = sorted(
        ((unit, step) for unit, step in at if step.kind is INPUT_GRADIENT),
        key=lambda item: item[0],
    )
    for unit, (_, step) in zip(_weights(worker), gradients, strict=True):
        at.append((unit, Pass(WEIGHT_GRADIENT, step.chunk, step.microbatch)))
    return tuple(step for _, step in sorted(at, key=lambda item: item[0]))
