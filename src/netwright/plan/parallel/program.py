"""Program: a priced step's pipeline as an ordinary program, for the event engine and traces."""

from __future__ import annotations

from netwright.plan.parallel.step import Step, schedule_of
from netwright.plan.pipeline.lower import OPCODES, TRANSFER, lower_schedule
from netwright.plan.pipeline.schedule import BACKWARD, FORWARD
from netwright.plan.pipeline.seconds import Kind, with_seconds
from netwright.program.program import Program


def step_program(made: Step) -> Program:
    """Passes of every stage, each at its price; messages are in the passes that send them.

    Weights' gradients are summed and applied after it (`Step.after`); they are not in it.
    """
    schedule = schedule_of(made.layout)(made.microbatches)
    costs: dict[Kind, float] = {}
    for chunk in range(schedule.num_chunks):
        costs[OPCODES[FORWARD], chunk, 0] = made.passes.forward[chunk]
        costs[OPCODES[BACKWARD], chunk, 0] = made.passes.backward[chunk]
        costs[TRANSFER, 0, chunk] = costs[TRANSFER, 1, chunk] = 0.0
    kept = round(made.memory.activation_bytes)
    held = max(1, made.microbatches)
    return with_seconds(lower_schedule(schedule, 0.5, max(2, kept // held)), costs)
