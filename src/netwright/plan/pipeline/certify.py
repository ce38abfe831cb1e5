"""Certify: how far a schedule's span is at most from the shortest one within the memory."""

from __future__ import annotations

from netwright.plan.certificate import Certificate
from netwright.plan.pipeline.bounds import span_bound
from netwright.plan.pipeline.prove import prove
from netwright.plan.pipeline.schedule import Schedule
from netwright.plan.pipeline.times import StageTimes

MOST_PASSES = 3 * 8 * 16  # for which CP-SAT is asked where the analytic bound leaves a gap
_SLACK = 1e-9  # sums of floating-point seconds


def certify(
    schedule: Schedule,
    times: StageTimes,
    span_seconds: float,
    limit: float,
    budget_seconds: float = 0.0,
) -> Certificate:
    """Against every schedule of F, B and W on this placement that holds at most `limit`.

    `limit` is in activations of one micro-batch; `budget_seconds`: for CP-SAT, which is asked when
    there is one chunk a worker, few passes, and the analytic bound does not prove it.

    Raises:
        UnsupportedError: there is a budget and OR-Tools is not installed.
    """
    if schedule.replicas:
        work = max(schedule.microbatches * times.work_seconds(w) for w in range(times.num_workers))
        proved = work >= span_seconds * (1 - _SLACK)
        return Certificate("span_seconds", span_seconds, min(work, span_seconds), "work", proved)
    bound = span_bound(schedule.placement, schedule.microbatches, times, limit)
    if bound.seconds >= span_seconds * (1 - _SLACK):
        return Certificate("span_seconds", span_seconds, span_seconds, bound.method, True)
    best, method, proved = bound.seconds, bound.method, False
    passes = 3 * schedule.num_chunks * schedule.microbatches
    in_order = schedule.placement == tuple(range(schedule.num_workers))
    if budget_seconds > 0 and in_order and passes <= MOST_PASSES:
        proof = prove(schedule.microbatches, times, limit, span_seconds, budget_seconds)
        if proof.bound_seconds > best:
            method = "CP-SAT, micro-batches in order"
            best, proved = proof.bound_seconds, proof.optimal
    return Certificate("span_seconds", span_seconds, best, method, proved)
