"""Pipelined backpropagation: no flush; every chunk does its optimiser's step after each gradient.

Pétrowski, Dreyfus and Girault, IEEE Trans. Neural Networks 4(6), 1993; Kosson et al., Pipelined
Backpropagation at Scale, MLSys 2021, arXiv 2003.11666. In every turn each chunk does one forward
pass and then one backward pass, so chunk c of S sees weights 2 (S - 1 - c) updates older in the one
than in the other.
"""

from __future__ import annotations

from netwright.errors import PlanError
from netwright.plan.pipeline.lower import OPCODES
from netwright.plan.pipeline.schedule import BACKWARD, FORWARD, Pass, Schedule
from netwright.plan.pipeline.step import UPDATE
from netwright.program.program import Program


def pipelined_backprop(workers: int, microbatches: int, chunks_each: int = 1) -> Schedule:
    """Worker w holds `chunks_each` chunks in a row; backward is fused.

    Raises:
        PlanError: a worker has no chunk.
    """
    if chunks_each < 1:
        raise PlanError(f"pipelined-backprop: {chunks_each} chunks a worker; expected at least one")
    chunks = workers * chunks_each
    orders: list[tuple[Pass, ...]] = []
    for worker in range(workers):
        own = range(worker * chunks_each, (worker + 1) * chunks_each)
        order: list[Pass] = []
        for turn in range(microbatches + 2 * chunks):
            forward = ((FORWARD, chunk, turn - chunk) for chunk in own)
            back = ((BACKWARD, chunk, turn - (2 * chunks - 2 - chunk)) for chunk in own)
            order += [Pass(*one) for one in (*forward, *back) if 0 <= one[2] < microbatches]
        orders.append(tuple(order))
    name = "pipelined-backprop" + ("" if chunks_each == 1 else f":{chunks_each}")
    placement = tuple(chunk // chunks_each for chunk in range(chunks))
    return Schedule(name, tuple(orders), placement, microbatches)


def delay_of(chunk: int, chunks: int) -> int:
    """Updates between a chunk's forward and backward pass of a micro-batch, the pipe being full."""
    return 2 * (chunks - 1 - chunk)


def delays(program: Program) -> tuple[tuple[int, ...], ...]:
    """By chunk and micro-batch: its updates between the two passes, counted in a program."""
    at: dict[tuple[int, int], int] = {}
    updates: dict[int, int] = {}
    found: dict[int, dict[int, int]] = {}
    for task in program.entries[0].tasks:
        numbers = [p for p in task.parameters if isinstance(p, int)]
        if task.opcode == UPDATE:
            updates[numbers[0]] = updates.get(numbers[0], 0) + 1
        elif task.opcode in (OPCODES[FORWARD], OPCODES[BACKWARD]):
            chunk, batch = numbers
            done = updates.get(chunk, 0)
            if task.opcode == OPCODES[FORWARD]:
                at[chunk, batch] = done
            else:
                found.setdefault(chunk, {})[batch] = done - at[chunk, batch]
    return tuple(
        tuple(found[chunk][batch] for batch in sorted(found[chunk])) for chunk in sorted(found)
    )
