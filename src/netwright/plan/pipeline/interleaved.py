"""Interleaved 1F1B: every worker holds several chunks, a share of the bubble each.

Narayanan et al., Efficient Large-Scale Language Model Training on GPU Clusters Using Megatron-LM,
SC 2021, arXiv 2104.04473, section 2.2: worker s of p holds chunks s, s + p, s + 2p and so on.
"""

from __future__ import annotations

from netwright.errors import PlanError
from netwright.plan.pipeline.schedule import BACKWARD, FORWARD, Pass, Schedule


def interleaved(workers: int, microbatches: int, chunks_each: int = 2) -> Schedule:
    """Micro-batches go in groups of p through one chunk after the other; backward is fused.

    Raises:
        PlanError: the micro-batches are no multiple of the workers, or a worker has no chunk.
    """
    if microbatches % workers or chunks_each < 1:
        raise PlanError(
            f"interleaved 1F1B: {microbatches} micro-batches on {workers} workers with"
            f" {chunks_each} chunks each; expected a multiple of {workers} and at least one chunk"
        )
    total = microbatches * chunks_each
    orders: list[tuple[Pass, ...]] = []
    for stage in range(workers):

        def onwards(turn: int, stage: int = stage) -> Pass:
            chunk, batch = _turn(turn, workers, chunks_each)
            return Pass(FORWARD, chunk * workers + stage, batch)

        def back(turn: int, stage: int = stage) -> Pass:
            chunk, batch = _turn(turn, workers, chunks_each)
            return Pass(BACKWARD, (chunks_each - 1 - chunk) * workers + stage, batch)

        warm_up = min(2 * (workers - stage - 1) + (chunks_each - 1) * workers, total)
        if chunks_each == 1:
            warm_up = min(workers - stage - 1, total)
        order = [onwards(turn) for turn in range(warm_up)]
        for turn in range(total - warm_up):
            order += [onwards(warm_up + turn), back(turn)]
        order += [back(turn) for turn in range(total - warm_up, total)]
        orders.append(tuple(order))
    placement = tuple(chunk % workers for chunk in range(workers * chunks_each))
    name = "1f1b-interleaved" + ("" if chunks_each == 2 else f":{chunks_each}")
    return Schedule(name, tuple(orders), placement, microbatches)


def _turn(turn: int, workers: int, chunks_each: int) -> tuple[int, int]:
    """Which of the worker's chunks, and which micro-batch, comes at a turn."""
    group, within = divmod(turn, workers * chunks_each)
    chunk, place = divmod(within, workers)
    return chunk, group * workers + place
