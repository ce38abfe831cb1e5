"""Costs: the seconds of every task of a program, from what the steps of a run measured.

A pass costs its processor seconds over the speed of its step: how much of a processor a busy worker
got, when no more were busy than there are. (Whatever else runs on the machine takes the rest.)
All micro-batches of one pass of one chunk count as the same: the median of all that were measured.
A message is as long as the quickest of its boundary and direction, because a receiver that is busy
takes it later than it arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from netwright.errors import RunError
from netwright.plan.pipeline.lower import OPCODES, TRANSFER
from netwright.plan.pipeline.schedule import PassKind
from netwright.plan.pipeline.seconds import Costs, kind_of
from netwright.program.program import Program
from netwright.run.workers.worker import StepReport

_SPLIT = (OPCODES[PassKind.INPUT_GRADIENT], OPCODES[PassKind.WEIGHT_GRADIENT])
_FUSED = OPCODES[PassKind.BACKWARD]


def measured_costs(program: Program, reports: Sequence[StepReport], processors: int) -> Costs:
    """Seconds by kind of task; the step's very first reports (of a cold machine) are left to you.

    A fused backward pass that was not measured is the sum of its halves.

    Raises:
        RunError: nothing was reported.
    """
    tasks = program.entries[0].tasks
    passes: dict[tuple[str, int, int], list[float]] = {}
    messages: dict[tuple[str, int, int], list[float]] = {}
    by_source = {(t.opcode, t.source): t for t in tasks}
    speeds = {
        step: _speed([r for r in reports if r.step == step], processors)
        for step in {r.step for r in reports}
    }
    for report in reports:
        for index, seconds in report.processor_seconds:
            passes.setdefault(kind_of(tasks[index]), []).append(seconds / speeds[report.step])
        quickest: dict[tuple[str, int, int], float] = {}
        for span in report.spans:
            if span.opcode == TRANSFER:
                kind = kind_of(by_source[span.opcode, span.name])
                quickest[kind] = min(span.seconds, quickest.get(kind, span.seconds))
        for kind, seconds in quickest.items():
            messages.setdefault(kind, []).append(seconds)
    if not passes:
        raise RunError(f"{program.name}: no step was measured")
    found = {kind: median(seconds) for kind, seconds in (*passes.items(), *messages.items())}
    for _, chunk, _ in tuple(found):
        halves = [found.get((opcode, chunk, 0)) for opcode in _SPLIT]
        if (_FUSED, chunk, 0) not in found and None not in halves:
            found[_FUSED, chunk, 0] = sum(h for h in halves if h is not None)
    return found


def _speed(reports: Sequence[StepReport], processors: int) -> float:
    """Processor seconds done over processor seconds that the busy workers could have had."""
    done = sum(seconds for report in reports for _, seconds in report.processor_seconds)
    changes: list[tuple[float, int]] = []
    for span in (s for r in reports for s in r.spans if s.opcode != TRANSFER):
        changes += [(span.start_seconds, 1), (span.start_seconds + span.seconds, -1)]
    could, busy, last = 0.0, 0, 0.0
    for at, change in sorted(changes):
        could += min(busy, processors) * (at - last)
        busy, last = busy + change, at
    return min(1.0, done / could) if could > 0 else 1.0
