"""Gather: what the workers report of a step → one timeline, on one clock, from zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netwright.errors import RunError
from netwright.run.workers.worker import StepReport
from netwright.timeline.timeline import Timeline


def step_timeline(name: str, reports: Sequence[StepReport]) -> Timeline:
    """All workers' spans; a transfer lasts from its sending until its receiver took it.

    The peak is the most that any one worker kept of micro-batches under way.

    Raises:
        RunError: nothing was reported, or of more than one step.
    """
    if len({r.step for r in reports}) != 1:
        raise RunError(f"{name}: {len(reports)} reports of {len({r.step for r in reports})} steps")
    spans = [span for report in reports for span in report.spans]
    samples = [sample for report in reports for sample in report.memory]
    start = min(span.start_seconds for span in spans)
    end = max(span.start_seconds + span.seconds for span in spans)
    moved = [replace(s, start_seconds=max(s.start_seconds - start, 0.0)) for s in spans]
    kept = [replace(m, start_seconds=max(m.start_seconds - start, 0.0)) for m in samples]
    return Timeline(
        name,
        "measured",
        "here",
        tuple(sorted(moved, key=lambda s: s.start_seconds)),
        tuple(sorted(kept, key=lambda m: m.start_seconds)),
        end - start,
        max((m.used_bytes for m in samples), default=0),
    )
