"""GPipe: all forward passes, then all backward passes, last micro-batch first.

Huang et al., GPipe: Efficient Training of Giant Neural Networks using Pipeline Parallelism,
NeurIPS 2019, arXiv 1811.06965. Every worker holds all micro-batches.
"""

from __future__ import annotations

from netwright.plan.pipeline.schedule import BACKWARD, FORWARD, Pass, Schedule


def gpipe(workers: int, microbatches: int) -> Schedule:
    """One chunk a worker; backward passes are fused."""
    orders = tuple(
        tuple(Pass(FORWARD, stage, batch) for batch in range(microbatches))
        + tuple(Pass(BACKWARD, stage, batch) for batch in reversed(range(microbatches)))
        for stage in range(workers)
    )
    return Schedule("gpipe", orders, tuple(range(workers)), microbatches)
