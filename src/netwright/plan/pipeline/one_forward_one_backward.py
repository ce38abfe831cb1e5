"""1F1B: a few forward passes, then one forward and one backward in turn, then the rest.

Narayanan et al., "PipeDream-Flush" in Memory-Efficient Pipeline-Parallel DNN Training, ICML 2021,
arXiv 2006.09503. Worker s of p holds at most p - s micro-batches.
"""

from __future__ import annotations

from netwright.plan.pipeline.schedule import BACKWARD, FORWARD, Pass, Schedule


def one_forward_one_backward(workers: int, microbatches: int) -> Schedule:
    """One chunk a worker; backward passes are fused."""
    orders: list[tuple[Pass, ...]] = []
    for stage in range(workers):
        warm_up = min(workers - stage - 1, microbatches)
        order = [Pass(FORWARD, stage, batch) for batch in range(warm_up)]
        for batch in range(microbatches):
            if warm_up + batch < microbatches:
                order.append(Pass(FORWARD, stage, warm_up + batch))
            order.append(Pass(BACKWARD, stage, batch))
        orders.append(tuple(order))
    return Schedule("1f1b", tuple(orders), tuple(range(workers)), microbatches)
