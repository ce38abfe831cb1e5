"""Machine files and probes → Machine: units, memories, links, each number with its source."""

from netwright.machine.machine import (
    ARITHMETIC,
    COST_MODELS,
    Axis,
    Basis,
    Link,
    Machine,
    MachineKind,
    Management,
    Memory,
    Slowdown,
    Source,
    Topology,
    Unit,
)
from netwright.machine.table import Point, Regime, Table
from netwright.machine.verify import verify

__all__ = [
    "ARITHMETIC",
    "COST_MODELS",
    "Axis",
    "Basis",
    "Link",
    "Machine",
    "MachineKind",
    "Management",
    "Memory",
    "Point",
    "Regime",
    "Slowdown",
    "Source",
    "Table",
    "Topology",
    "Unit",
    "verify",
]
