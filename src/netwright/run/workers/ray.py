"""Ray: the same workers, started by Ray on whatever nodes it has (`netwright[cluster]`)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch.distributed as dist

from netwright.errors import NetwrightError, RunError, UnsupportedError
from netwright.run.workers.process import Meeting, join, work_steps
from netwright.run.workers.worker import StepReport, Work


def run_on_ray(
    works: Sequence[Work],
    steps: int,
    told: Callable[[StepReport], None],
    timeout_seconds: float = 600.0,
) -> bool:
    """One Ray task a worker, a processor each; `told` hears of all steps once all have ended.

    Uses the Ray that this process is connected to, or starts one here.

    Raises:
        UnsupportedError: Ray is not installed.
        RunError: a worker failed or died (named, with the cause), or time ran out.
    """
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise UnsupportedError(
            "ray: not installed; run: pip install 'netwright[cluster]'"
        ) from error
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)
    task = ray.remote(num_cpus=1, max_retries=0)(_task)
    find = ray.remote(num_cpus=0)(_address)
    address = ray.get(find.remote())
    meeting = Meeting(address, len(works), timeout_seconds)
    running = {task.remote(work, meeting, steps): work.rank for work in works}
    reports: list[StepReport] = []
    try:
        while running:
            done, _ = ray.wait(list(running), timeout=timeout_seconds)
            if not done:
                silent = ", ".join(f"worker {rank}" for rank in running.values())
                raise RunError(f"{silent}: not done after {timeout_seconds:g} s")
            for one in done:
                reports += _result(ray, one, running.pop(one))
    finally:
        for left in running:
            ray.cancel(left, force=True)
    for report in reports:
        told(report)
    return True


def _result(ray: Any, reference: Any, rank: int) -> list[StepReport]:
    try:
        found: list[StepReport] | str = ray.get(reference)
    except ray.exceptions.RayError as error:
        first = str(error).strip().splitlines()[-1]
        raise RunError(f"worker {rank}: {first}") from error
    if isinstance(found, str):
        raise RunError(f"worker {rank}: {found}")
    return found


def _address() -> str:
    """Where the workers meet: a free port of the node that this runs on, which is worker 0's."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    ray: Any = import_module("ray")
    return f"tcp://{ray.util.get_node_ip_address()}:{port}"


def _task(work: Work, meeting: Meeting, steps: int) -> list[StepReport] | str:
    """The reports of one worker, or why it gave up."""
    reports: list[StepReport] = []
    try:
        join(work.rank, meeting)
        work_steps(work, meeting.workers, steps, reports.append)
        dist.destroy_process_group()
    except (NetwrightError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return reports
