"""Plan a spiking graph for a chip of cores: the mapping, its certificate, and the flat program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import PlanError, UnsupportedError
from netwright.graph.graph import Graph
from netwright.job.job import Infer, Job
from netwright.machine.machine import Machine
from netwright.machine.spiking import SpikingMesh
from netwright.plan.certificate import Certificate
from netwright.plan.chip.axons import Axons, axons
from netwright.plan.chip.place import Placement, demand, place
from netwright.plan.chip.wiring import Wiring, wiring
from netwright.plan.decision import Decision
from netwright.plan.plan import Plan
from netwright.program.program import Entry, Program, Task

CORE = "spiking_core"  # the opcode: neurons first .. first + count of a population, each step
ENTRY = "step"
Narrow: TypeAlias = NDArray[np.int32]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """A plan for a chip with the wiring and axons that its program stands for."""

    plan: Plan
    wiring: Wiring
    axons: Axons


def mesh_of(machine: Machine) -> SpikingMesh:
    """The mesh of a neuromorphic machine.

    Raises:
        UnsupportedError: the machine has none.
    """
    if machine.spiking is None:
        raise UnsupportedError(
            f"{machine.name}: is no chip of spiking cores (kind {machine.kind.value}); "
            "loihi and loihi2 are"
        )
    return machine.spiking


def map_graph(graph: Graph, machine: Machine, job: Job | None = None) -> Mapped:
    """Neurons on cores, fewest cores first.

    Raises:
        UnsupportedError: the machine has no spiking cores, or the graph cannot run on them.
        PlanError: it does not fit; says by how much and what would help.
    """
    mesh = mesh_of(machine)
    found = wiring(graph)
    memory = machine.memory(machine.units[0].memories[0])
    placed = place(found, mesh, memory.capacity_bytes)
    program = _program(graph, machine, found, placed)
    peak = _peak_bytes(found, placed, mesh)
    memory_used = Certificate(
        "peak_bytes", float(peak), None, "synapses of the fullest core", False
    )
    subject = f"{found.size - found.outside} neurons"
    decision = Decision(
        subject,
        f"{placed.cores} cores of {mesh.num_cores}",
        placed.certificate.method,
        value=float(placed.cores),
        bound=placed.certificate.bound,
        why=placed.certificate.text,
    )
    plan = Plan(
        graph, machine, job or Infer(), (decision,), (), memory_used, program, peak,
        placed.infeasible,
    )  # fmt: skip
    if placed.infeasible is not None:
        plan.lower()
    return Mapped(plan, found, axons(found, placed.home, mesh))


def _program(graph: Graph, machine: Machine, found: Wiring, placed: Placement) -> Program:
    """One task a core and population: first neuron, neurons, synapses."""
    asked = demand(found)
    tasks: list[Task] = []
    for population in found.populations:
        if population.outside:
            continue
        home = placed.home[population.first : population.first + population.size]
        cuts = np.flatnonzero(np.diff(home)) + 1
        for begin, end in zip((0, *cuts.tolist()), (*cuts.tolist(), len(home)), strict=True):
            low = population.first + begin - found.outside
            synapses = int(asked.synapses[low : low + end - begin].sum())
            numbers = (begin, end - begin, synapses)
            core = int(home[begin])
            tasks.append(Task(CORE, (), numbers, (), 1, population.name, core))
    workers = tuple(f"core {n}" for n in range(placed.cores))
    entry = Entry(ENTRY, tuple(tasks), (), 0, (), ())
    return Program(graph.name, (), (entry,), workers, machine=machine.name)


def _peak_bytes(found: Wiring, placed: Placement, mesh: SpikingMesh) -> int:
    """Synapses of the fullest core."""
    if placed.infeasible is not None:
        return 0
    inside = placed.home[found.outside :]
    count = np.bincount(inside, demand(found).synapses)
    return int(count.max(initial=0)) * mesh.synapse_bits // 8


def homes(program: Program, found: Wiring) -> Narrow:
    """The core of every neuron as the program says; -1 outside.

    Raises:
        PlanError: the program is of another network.
    """
    home = np.full(found.size, -1, np.int32)
    first = {p.name: p.first for p in found.populations}
    for task in program.entry(ENTRY).tasks:
        begin, count = task.parameters[0], task.parameters[1]
        if task.source not in first or not isinstance(begin, int) or not isinstance(count, int):
            raise PlanError(f"{program.name}: {task.source} is no population of this network")
        home[first[task.source] + begin : first[task.source] + begin + count] = task.worker
    if (home[found.outside :] < 0).any():
        raise PlanError(f"{program.name}: some neurons of the network have no core")
    return home
