"""Torchrun: this process is one of the workers that `torchrun` started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch.distributed as dist

from netwright.errors import JobError
from netwright.run.workers.process import work_steps
from netwright.run.workers.worker import StepReport, Work


def is_under_torchrun() -> bool:
    """Whether `torchrun` (torch elastic) started this process."""
    return bool(dist.is_torchelastic_launched())


def run_under_torchrun(
    works: Sequence[Work], steps: int, told: Callable[[StepReport], None]
) -> bool:
    """Does the work that rank 0 has for this one. True on rank 0, told of all steps at the end.

    When a worker fails, torchrun ends the others.

    Raises:
        JobError: torchrun started another number of processes than there are workers.
        RunError: a link was lost, or a pass found nothing to work on.
    """
    dist.init_process_group("gloo")
    try:
        rank, count = dist.get_rank(), dist.get_world_size()
        if count != len(works):
            raise JobError(
                f"torchrun started {count} processes for {len(works)} workers; give it"
                f" --nproc-per-node {len(works)}, or --workers {count}"
            )
        mine: list[Work | None] = [None]  # one plan for all: hosts may price things differently
        cast(Any, dist).scatter_object_list(mine, list(works) if rank == 0 else None, src=0)
        assert mine[0] is not None
        own: list[StepReport] = []
        work_steps(mine[0], count, steps, own.append)
        everyone: list[list[StepReport]] | None = [[] for _ in works] if rank == 0 else None
        cast(Any, dist).gather_object(own, everyone, dst=0)
    finally:
        dist.destroy_process_group()
    for report in (r for reports in everyone or () for r in reports):
        told(report)
    return everyone is not None
