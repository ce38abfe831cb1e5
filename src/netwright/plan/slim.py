"""Slim: memory saved at no loss of quality, by a prompt in smaller chunks and no verification."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netwright.job.job import Generate, Job
from netwright.plan.capacity import rooms, tightest
from netwright.plan.decision import Alternative, Decision
from netwright.plan.draft import Draft, draft

CHUNKS = (128, 64, 32)


def slimmer(kept: Draft) -> Iterator[Draft]:
    """The same network in ever less scratch memory: first what costs least time."""
    job = kept.job
    if not isinstance(job, Generate):
        return
    context = job.prompt + job.tokens
    if job.verify >= 2:
        yield draft(kept.graph, kept.machine, replace(job, verify=0), kept.rule)
    for chunk in CHUNKS:
        if chunk < min(job.chunk, context):
            yield draft(kept.graph, kept.machine, replace(job, chunk=chunk, verify=0), kept.rule)


def slimmed(kept: Draft) -> tuple[Draft, ...]:
    """The draft and slimmer ones, up to the first that keeps every limit on memory."""
    seen = [kept]
    for found in slimmer(kept):
        seen.append(found)
        if tightest(found.footprint, rooms(found.machine, found.unit, found.job)) is None:
            break
    return tuple(seen)


def chunk_decision(found: Draft, seen: tuple[Draft, ...]) -> tuple[Decision, ...]:
    """Which chunk, of those weighed with the formats that the file has."""
    if len(seen) < 2:
        return ()
    decision = Decision(
        "chunk of the prompt",
        label(found),
        "the largest that keeps the limits on memory",
        tuple(Alternative(f"{label(d)}, weights kept", d.footprint.total_bytes) for d in seen),
        found.footprint.total_bytes,
        None,
        "bytes",
        "smaller chunks cost time and lose no quality, so they come before fewer bits",
    )
    return (decision,)


def widest(found: Draft, job: Job) -> Draft:
    """The same formats with the largest chunk that room is left for."""
    if not isinstance(job, Generate) or not isinstance(found.job, Generate):
        return found
    chunks = [replace(job, chunk=c, verify=0) for c in CHUNKS if found.job.chunk < c < job.chunk]
    for wider in (job, replace(job, verify=0), *chunks):
        trial = draft(found.graph, found.machine, wider, found.rule)
        if tightest(trial.footprint, rooms(trial.machine, trial.unit, wider)) is None:
            return trial
    return found


def label(of: Draft) -> str:
    """How many tokens enter at once."""
    job = of.job
    assert isinstance(job, Generate)
    verify = f", verification of up to {job.verify}" if job.verify >= 2 else ", no verification"
    return f"{min(job.chunk, job.prompt + job.tokens)} tokens{verify}"
