"""The main path, verb by verb: load, plan, run, with plans kept between runs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError, JobError
from netwright.frontends import load, resolve_source
from netwright.graph.graph import Graph
from netwright.job.job import Generate, Infer, Job
from netwright.machine import machine
from netwright.machine.machine import Machine
from netwright.machine.store import cache_folder, profile_identity
from netwright.native import core
from netwright.plan.make import make_plan
from netwright.plan.plan import Plan
from netwright.program.file import ProgramFile, open_program, save
from netwright.run.native import NativeRuntime


@final
@dataclass(frozen=True, slots=True)
class Prepared:
    """A program ready to load and what its plan said; `plan` is None when it came from the cache."""

    file: ProgramFile
    summary: Mapping[str, Any]
    cached: bool
    plan: Plan | None
    seconds: float


def plan_key(source: Path, machine_name: str, job: Job) -> str:
    """A name for everything that a plan depends on."""
    stat = source.stat()
    facts = (
        str(source.resolve()),
        stat.st_size,
        stat.st_mtime_ns,
        machine_name,
        profile_identity() if machine_name == "here" else "",
        repr(job),
        core.build_identity(),
    )
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def prepare(source: str, machine_name: str, job: Job, dims: Mapping[str, int] | None = None) -> Prepared:
    """A program for this network, machine and job: from the cache, or planned now and kept.

    Raises:
        NetwrightError: whatever is wrong with the file, the machine or the job.
    """
    start = time.perf_counter()
    path = resolve_source(source)
    folder = cache_folder() / "plans"
    stem = folder / plan_key(path, machine_name, replace_dims(job, dims))
    program_path, summary_path = stem.with_suffix(".nwp"), stem.with_suffix(".json")
    if program_path.exists() and summary_path.exists():
        try:
            file = open_program(program_path)
            summary = json.loads(summary_path.read_text())
            return Prepared(file, summary, True, None, time.perf_counter() - start)
        except (FormatError, ValueError):
            pass  # damaged or from another build: plan again below
    plan = make_plan(load(str(path), dims or {}), machine(machine_name), job)
    program = plan.lower()
    folder.mkdir(parents=True, exist_ok=True)
    save(program, program_path)
    summary = plan_summary(plan)
    summary_path.write_text(json.dumps(summary))
    return Prepared(open_program(program_path), summary, False, plan, time.perf_counter() - start)
