"""Graph × chip × Job → Plan: neurons on cores, the certificate, and the flat program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from netwright.cost.spiking import pay
from netwright.errors import JobError, UnsupportedError
from netwright.graph.graph import Graph
from netwright.job.job import Generate, Infer, Job, Stream
from netwright.machine.machine import Machine
from netwright.machine.spiking import SpikingMesh
from netwright.plan.certificate import Certificate
from netwright.plan.chip.axons import Axons, axons
from netwright.plan.chip.events import expected
from netwright.plan.chip.flat import ENTRY, chip_of, flat
from netwright.plan.chip.place import Placement, demand, place
from netwright.plan.chip.synapse import Wiring
from netwright.plan.chip.wiring import wiring
from netwright.plan.decision import Decision
from netwright.plan.infeasible import Infeasible, Term
from netwright.plan.plan import Plan, Prediction
from netwright.program.program import Entry, Program


@final
@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """A plan for a chip with the wiring and axons that its program stands for (None: no fit)."""

    plan: Plan
    wiring: Wiring
    axons: Axons | None


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


def make_chip_plan(graph: Graph, machine: Machine, job: Job) -> Plan:
    """As `map_graph`: the plan alone."""
    return map_graph(graph, machine, job).plan


def map_graph(graph: Graph, machine: Machine, job: Job | None = None) -> Mapped:
    """Neurons on cores, fewest cores first. What does not fit is a plan that is infeasible.

    Raises:
        UnsupportedError: the machine has no spiking cores, or the graph cannot run on them.
        JobError: the job generates text.
    """
    job, mesh, found = job or Infer(), mesh_of(machine), wiring(graph)
    if isinstance(job, Generate):
        raise JobError(f"{graph.name}: a chip of spiking cores runs steps (Infer or Stream)")
    memory = machine.memory(machine.units[0].memories[0])
    placed = place(found, mesh, memory.capacity_bytes)
    decision = Decision(
        f"{found.size - found.outside} neurons",
        f"{placed.cores} cores of {mesh.num_cores}",
        placed.certificate.method,
        value=float(placed.cores),
        bound=placed.certificate.bound,
        why=placed.certificate.text,
    )
    peak = _peak_bytes(found, placed, mesh)
    used = Certificate("peak_bytes", float(peak), None, "synapses of the fullest core", False)
    if placed.infeasible is not None:
        none = Program(graph.name, (), (Entry(ENTRY, (), (), 0, (), ()),), (), machine=machine.name)
        plan = Plan(graph, machine, job, (decision,), (), used, none, peak, placed.infeasible)
        return Mapped(plan, found, None)
    wires = axons(found, placed.home, mesh)
    steps = _steps(graph, job)
    program = flat(graph, machine, found, (placed, wires), steps)
    predicted = _predicted(program, machine, steps)
    plan = Plan(
        graph, machine, job, (decision,), (predicted,), used, program, peak,
        _over(job, predicted),
    )  # fmt: skip
    return Mapped(plan, found, wires)


def _steps(graph: Graph, job: Job) -> int:
    """Steps of one call: those of every sample one after the other, or those of the stream."""
    if isinstance(job, Stream):
        return job.steps
    shape = next((graph[i].shape for i in graph.inputs), (1, 1))
    steps = 1
    for extent in shape[:2]:
        assert isinstance(extent, int)
        steps *= extent
    return steps


def _predicted(program: Program, machine: Machine, steps: int) -> Prediction:
    """By the densities that the graph declares (1: everyone fires in every step)."""
    paid = pay(mesh_of(machine), expected(chip_of(program), mesh_of(machine)))
    seconds = steps * float(paid.step_seconds.sum())
    parts = (paid.synapse_joules, paid.soma_joules, paid.network_joules)
    joules = steps * sum(float(part.sum()) for part in parts)
    method = "events by the densities of the graph; spikes that ran give the truth"
    certificate = Certificate("seconds", seconds, None, method, False)
    return Prediction(ENTRY, (), seconds, seconds, seconds, joules, certificate)


def _over(job: Job, predicted: Prediction) -> Infeasible | None:
    """A limit of the job that is exceeded."""
    for what, value, limit, unit in (
        ("time", predicted.seconds, job.limits.seconds, "seconds"),
        ("energy", predicted.joules or 0.0, job.limits.joules, "joules"),
    ):
        if limit is not None and value > limit:
            return Infeasible(what, value, limit, unit, (Term("all steps", value),), ())
    return None


def _peak_bytes(found: Wiring, placed: Placement, mesh: SpikingMesh) -> int:
    """Synapses of the fullest core."""
    if placed.infeasible is not None:
        return 0
    inside = placed.home[found.outside :]
    count = np.bincount(inside, demand(found).synapses)
    return int(count.max(initial=0)) * mesh.synapse_bits // 8
