"""Netwright: build neural networks onto machines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# These packages have the names of verbs: loaded first (each is a docstring only), their names can
# then be given to the verbs, and a later import inside them does not take the names back.
import netwright.machine  # pyright: ignore[reportUnusedImport]
import netwright.plan  # pyright: ignore[reportUnusedImport]
import netwright.report  # noqa: F401  # pyright: ignore[reportUnusedImport]

if TYPE_CHECKING:
    from netwright.errors import NetwrightError
    from netwright.frontends.load import load
    from netwright.graph.graph import Graph
    from netwright.job.job import Choose, Generate, Goal, Infer, Keep, Limits, Stream
    from netwright.job.train import Train
    from netwright.machine.load import machine, machine_names
    from netwright.machine.machine import Machine
    from netwright.path.api import plan, report
    from netwright.path.train import train
    from netwright.plan.plan import Plan
    from netwright.program.program import Program
    from netwright.timeline.timeline import Timeline

__version__ = "0.1.0"

# Public name → where it lives. Loaded at first use, so that importing Netwright stays cheap.
_HOMES = {
    "Choose": "netwright.job.job",
    "Generate": "netwright.job.job",
    "Goal": "netwright.job.job",
    "Graph": "netwright.graph.graph",
    "Infer": "netwright.job.job",
    "Keep": "netwright.job.job",
    "Limits": "netwright.job.job",
    "Machine": "netwright.machine.machine",
    "NetwrightError": "netwright.errors",
    "Plan": "netwright.plan.plan",
    "Program": "netwright.program.program",
    "Stream": "netwright.job.job",
    "Timeline": "netwright.timeline.timeline",
    "Train": "netwright.job.train",
    "load": "netwright.frontends.load",
    "machine": "netwright.machine.load",
    "machine_names": "netwright.machine.load",
    "plan": "netwright.path.api",
    "report": "netwright.path.api",
    "train": "netwright.path.train",
}

__all__ = [
    "Choose",
    "Generate",
    "Goal",
    "Graph",
    "Infer",
    "Keep",
    "Limits",
    "Machine",
    "NetwrightError",
    "Plan",
    "Program",
    "Stream",
    "Timeline",
    "Train",
    "load",
    "machine",
    "machine_names",
    "plan",
    "report",
    "train",
]

# A name that a package of ours has too would be found before `__getattr__` is asked.
del machine, plan, report


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'netwright' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
