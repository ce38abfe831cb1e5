"""Source, machine, job → a program ready to load, from the cache or planned now."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from netwright.job.job import Infer, Job
from netwright.path import later
from netwright.path.identity import code_identity, machine_identity, source_identity
from netwright.path.keep import digest, keep_plan, kept_plan
from netwright.path.python import is_python
from netwright.program.file import ProgramFile

if TYPE_CHECKING:
    from netwright.plan.plan import Plan

Progress = Callable[[str, float], None]


@final
@dataclass(frozen=True, slots=True)
class Request:
    """What to prepare. `dims` binds symbolic sizes of an ONNX network."""

    source: str
    machine: str
    job: Job
    dims: tuple[tuple[str, int], ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Prepared:
    """A mapped program and what its plan said. `plan` is None when both came from the cache.

    `note` says why a new plan could not be kept, where it could not.
    """

    file: ProgramFile
    summary: Mapping[str, Any]
    plan: Plan | None
    seconds: float
    note: str | None = None


def silent(what: str, share: float) -> None:
    """Progress for those who want none."""


def make(request: Request, progress: Progress = silent) -> Plan:
    """Loads and plans, without the cache.

    Raises:
        NetwrightError: whatever is wrong with source, machine or job.
    """
    if is_python(request.source):
        graph = later.load_network(Path(request.source))
    else:
        graph = later.load(request.source, dims=dict(request.dims) or None)
    return later.make_plan(graph, later.machine(request.machine, progress), request.job, progress)


def prepare(request: Request, progress: Progress = silent) -> Prepared:
    """The program for a request, planned at most once for the same files and machine.

    The cache is asked before loaders, planner and cost models are imported: what is in it needs
    none of them.

    Raises:
        NetwrightError: as `make`; PlanError when it does not fit.
    """
    start = time.perf_counter()
    key = _key(request)
    found = kept_plan(key)
    if found is not None:
        return Prepared(*found, None, time.perf_counter() - start)
    plan = make(request, progress)
    program = plan.lower()
    summary = later.plan_summary(plan)
    if isinstance(request.job, Infer):
        summary["pass"] = later.pass_figures(program, plan.machine)
    # Asked anew: making the plan may have probed the machine.
    file, note = keep_plan(_key(request), program, summary)
    return Prepared(file, summary, plan, time.perf_counter() - start, note)


def _key(request: Request) -> str:
    """Everything that the plan depends on, and nothing else."""
    return digest(
        source_identity(request.source),
        machine_identity(request.machine),
        code_identity(),
        request.job,
        sorted(request.dims),
    )
