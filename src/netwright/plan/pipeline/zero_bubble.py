"""ZB-H1 and ZB-H2: backward cut in two, and weight gradients put where bubbles would be.

Qi et al., Zero Bubble Pipeline Parallelism, ICLR 2024, arXiv 2401.10241, section 2. H1 holds no
more than 1F1B; H2 about twice as much, so that the pipeline is full before the first gradient.
"""

from __future__ import annotations

from netwright.plan.pipeline.schedule import (
    FORWARD,
    INPUT_GRADIENT,
    WEIGHT_GRADIENT,
    Pass,
    Schedule,
)


def zero_bubble_h1(workers: int, microbatches: int) -> Schedule:
    """Worker s starts with p - s forward passes; its weight gradients are s gradients late."""
    orders = tuple(_order(stage, workers - stage, stage, microbatches) for stage in range(workers))
    return Schedule("zb-h1", orders, tuple(range(workers)), microbatches)


def zero_bubble_h2(workers: int, microbatches: int) -> Schedule:
    """Worker s starts with 2(p - s) - 1 forward passes; its weight gradients are 2s late."""
    orders = tuple(
        _order(stage, 2 * (workers - stage) - 1, 2 * stage, microbatches)
        for stage in range(workers)
    )
    return Schedule("zb-h2", orders, tuple(range(workers)), microbatches)


def _order(stage: int, warm_up: int, late: int, microbatches: int) -> tuple[Pass, ...]:
    """`warm_up` forward passes, then B, W of `late` micro-batches ago and F in turn."""
    warm_up = min(warm_up, microbatches)
    order = [Pass(FORWARD, stage, batch) for batch in range(warm_up)]
    for batch in range(microbatches):
        order.append(Pass(INPUT_GRADIENT, stage, batch))
        if batch >= late:
            order.append(Pass(WEIGHT_GRADIENT, stage, batch - late))
        if warm_up + batch < microbatches:
            order.append(Pass(FORWARD, stage, warm_up + batch))
    rest = range(max(microbatches - late, 0), microbatches)
    order += [Pass(WEIGHT_GRADIENT, stage, batch) for batch in rest]
    return tuple(order)
