"""Source, machine, job → a program ready to load, from the cache or planned now."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from netwright.errors import FormatError
from netwright.frontends import load
from netwright.frontends.describe import locate
from netwright.job.job import Job
from netwright.machine.load import machine
from netwright.machine.probe.host import host
from netwright.machine.store import store_path
from netwright.plan.make import make_plan
from netwright.plan.plan import Plan
from netwright.program.file import ProgramFile, open_program, save

Progress = Callable[[str, float], None]
PLANS_KEPT = 64


@final
@dataclass(frozen=True, slots=True)
class Prepared:
    """A mapped program and what its plan said. `plan` is None when both came from the cache."""

    file: ProgramFile
    summary: Mapping[str, Any]
    plan: Plan | None
    seconds: float


@final
@dataclass(frozen=True, slots=True)
class Request:
    """What to prepare. `dims` binds symbolic sizes of an ONNX network."""

    source: str
    machine: str
    job: Job
    dims: tuple[tuple[str, int], ...] = ()


def silent(what: str, share: float) -> None:
    """Progress for those who want none."""


def plan_summary(plan: Plan) -> dict[str, Any]:
    """What is kept and printed of a plan: bounds, gaps, certificates, decisions."""
    return {
        "network": plan.graph.name,
        "machine": plan.machine.name,
        "predictions": [
            {
                "entry": p.entry,
                "symbols": dict(p.symbols),
                "seconds": p.seconds,
                "interval_seconds": [p.low_seconds, p.high_seconds],
                "energy_joules": p.joules,
                "bound_seconds": p.certificate.bound,
                "gap": p.certificate.gap,
                "certificate": f"{p.certificate.text} ({p.certificate.method})",
            }
            for p in plan.predictions
        ],
        "memory": {
            "peak_memory_bytes": plan.peak_memory_bytes,
            "scratch_bytes": int(plan.memory.value),
            "bound_bytes": plan.memory.bound,
            "certificate": f"{plan.memory.text} ({plan.memory.method})",
        },
        "decisions": [
            {"subject": d.subject, "chosen": d.chosen, "method": d.method, "why": d.why}
            for d in plan.decisions
        ],
        "explanation": plan.explain(),
    }


def make(request: Request, progress: Progress = silent) -> Plan:
    """Loads and plans, without the cache.

    Raises:
        NetwrightError: whatever is wrong with source, machine or job.
    """
    graph = load(request.source, dims=dict(request.dims) or None)
    return make_plan(graph, machine(request.machine, progress), request.job)


def prepare(request: Request, progress: Progress = silent) -> Prepared:
    """The program for a request, planned at most once for the same files and machine.

    Raises:
        NetwrightError: as `make`; PlanError when it does not fit.
    """
    start = time.perf_counter()
    stem = store_path().parent / "plans" / _key(request)
    found = _cached(stem)
    if found is not None:
        file, summary = found
        return Prepared(file, summary, None, time.perf_counter() - start)
    plan = make(request, progress)
    program = plan.lower()
    summary = plan_summary(plan)
    stem.parent.mkdir(parents=True, exist_ok=True)
    save(program, stem.with_suffix(".nwp"))
    stem.with_suffix(".json").write_text(json.dumps(summary))
    _forget_oldest(stem.parent)
    file = open_program(stem.with_suffix(".nwp"))
    return Prepared(file, summary, plan, time.perf_counter() - start)


def _key(request: Request) -> str:
    """Everything that the plan depends on, and nothing else."""
    path = locate(request.source)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    on = host().key if request.machine == "here" else _machine_identity(request.machine)
    profile = store_path()
    probed = profile.stat().st_mtime_ns if request.machine == "here" and profile.exists() else 0
    facts = repr((stats, on, probed, _code_identity(), request.job, sorted(request.dims)))
    return hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()


def _code_identity() -> tuple[str, int]:
    """The core, and when any of the code that decides or lowers last changed."""
    package = Path(__file__).parents[1]
    rooms = ("frontends", "graph", "transform", "cost", "plan", "program")
    changed = max(f.stat().st_mtime_ns for room in rooms for f in package.glob(f"{room}/**/*.py"))
    return host().build, changed


def _machine_identity(name: str) -> str:
    path = Path(name)
    return f"{path.resolve()} {path.stat().st_mtime_ns}" if path.is_file() else name


def _cached(stem: Path) -> tuple[ProgramFile, Mapping[str, Any]] | None:
    program, summary = stem.with_suffix(".nwp"), stem.with_suffix(".json")
    if not (program.is_file() and summary.is_file()):
        return None
    try:
        return open_program(program), json.loads(summary.read_text())
    except (FormatError, ValueError):
        return None  # damaged or of another version: it is planned again and replaced


def _forget_oldest(folder: Path) -> None:
    plans = sorted(folder.glob("*.nwp"), key=lambda p: p.stat().st_mtime_ns, reverse=True)
    for program in plans[PLANS_KEPT:]:
        program.unlink(missing_ok=True)
        program.with_suffix(".json").unlink(missing_ok=True)
