"""A chip's program: a task a core and population, the axons as constants; read back as it is.

The entry `step` is repeated for every step. Its inputs are the populations outside, by name.
Numbers of neurons count those outside first, then each population as its tasks stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError
from netwright.graph.graph import Graph
from netwright.machine.machine import Machine
from netwright.plan.chip.axons import Axons
from netwright.plan.chip.place import Placement, demand
from netwright.plan.chip.synapse import NEURONS, Wiring
from netwright.program.opcodes import SPIKING_CORE
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task

Array: TypeAlias = NDArray[Any]
ENTRY = "step"
TABLES = (("start", "int64"), ("core", "int32"), ("synapses", "int32"), ("kind", "int8"))


@final
@dataclass(frozen=True, slots=True)
class Part:
    """A population of a program: neurons `first` .. `first` + `size`, and how often they fire.

    `density` is the share of them that is expected to fire in a step.
    """

    name: str
    first: int
    size: int
    outside: bool
    density: float


@final
@dataclass(frozen=True, slots=True, eq=False)
class Chip:
    """What a program for a chip says: its populations, the core of every neuron, the axons."""

    parts: tuple[Part, ...]
    home: NDArray[np.int32]
    axons: Axons
    steps: int


def flat(
    graph: Graph, machine: Machine, found: Wiring, mapped: tuple[Placement, Axons], steps: int
) -> Program:
    """The program of a mapping."""
    placed, wires = mapped
    arena, tables = _tables(wires, machine)
    asked, tasks = demand(found), list[Task]()
    silent = {
        op.name for op, _ in graph.ops() if isinstance(op.kind, NEURONS) and reads_out(op.kind)
    }
    inputs: list[tuple[str, Operand]] = []
    for population in found.populations:
        density = graph[population.tensor].density
        if population.outside:
            shape = (steps, population.size)
            inputs.append((population.name, Operand(1, 0, "uint8", shape, (population.size, 1))))
            inputs[-1] = (population.name, _given(inputs, shape))
            continue
        home = placed.home[population.first : population.first + population.size]
        cuts = np.flatnonzero(np.diff(home)) + 1
        for begin, end in zip((0, *cuts.tolist()), (*cuts.tolist(), len(home)), strict=True):
            low = population.first + begin - found.outside
            synapses = int(asked.synapses[low : low + end - begin].sum())
            share = 0.0 if population.name in silent else float(density)
            numbers = (begin, end - begin, synapses, share)
            tasks.append(
                Task(SPIKING_CORE, tables, numbers, (), 1, population.name, int(home[begin]))
            )
    shares = tuple(
        (f"density of {p.name}", repr(float(graph[p.tensor].density)))
        for p in found.populations
        if p.outside
    )
    size = sum(int(steps * p.size) for p in found.populations if p.outside)
    memory = machine.units[0].memories[0]
    arenas = (arena, Arena("spikes", ArenaKind.INPUT_OUTPUT, size, memory))
    workers = tuple(f"core {n}" for n in range(placed.cores))
    entry = Entry(ENTRY, tuple(tasks), (), 0, tuple(inputs), (), repeats=steps)
    return Program(graph.name, arenas, (entry,), workers, machine=machine.name, metadata=shares)


def reads_out(kind: object) -> bool:
    """Whether neurons of this kind send nothing: the host reads their membranes."""
    return bool(getattr(kind, "traced", type(kind).__name__ == "Li"))


def _given(inputs: Sequence[tuple[str, Operand]], shape: tuple[int, int]) -> Operand:
    """The rows of one population outside, behind those of the others."""
    before = sum(int(np.prod([int(str(e)) for e in o.shape])) for _, o in inputs[:-1])
    return Operand(1, before, "uint8", shape, (shape[1], 1))


def _tables(wires: Axons, machine: Machine) -> tuple[Arena, tuple[Operand, ...]]:
    """The axons as constants, aligned."""
    raws: list[NDArray[np.uint8]] = []
    operands: list[Operand] = []
    offset = 0
    for name, form in TABLES:
        array = np.ascontiguousarray(getattr(wires, name), form)
        raw = array.view(np.uint8).reshape(-1)
        operands.append(Operand(0, offset, form, array.shape, (array.itemsize,)))
        pad = -raw.size % 64
        raws += [raw, np.zeros(pad, np.uint8)]
        offset += raw.size + pad
    memory = machine.units[0].memories[0]
    whole = np.concatenate(raws)
    return Arena("axons", ArenaKind.CONSTANT, whole.size, memory, raw=whole), tuple(operands)


def chip_of(program: Program) -> Chip:
    """The mapping that a program holds.

    Raises:
        ProgramError: it is no program for a chip, or its tasks leave neurons out.
    """
    entry = program.entry(ENTRY)
    if not entry.tasks or any(t.opcode != SPIKING_CORE for t in entry.tasks):
        raise ProgramError(f"{program.name}: is no program for a chip of spiking cores; plan it so")
    shares = dict(program.metadata)
    parts: list[Part] = []
    first = 0
    for name, operand in entry.inputs:
        size = int(str(operand.shape[1]))
        density = float(shares.get(f"density of {name}", "1.0"))
        parts.append(Part(name, first, size, True, density))
        first += size
    outside, cores = first, list[NDArray[np.int32]]()
    for task in entry.tasks:
        begin, count, _, share = (float(str(p)) for p in task.parameters)
        if begin == 0:
            parts.append(Part(task.source, first, 0, False, share))
        last = parts[-1]
        if last.name != task.source or last.size != begin:
            raise ProgramError(f"{program.name}: neurons of {task.source} are not in order")
        parts[-1] = Part(last.name, last.first, last.size + int(count), False, share)
        first += int(count)
        cores.append(np.full(int(count), task.worker, np.int32))
    home = np.concatenate([np.full(outside, -1, np.int32), *cores])
    tables = [_table(program, operand) for operand in entry.tasks[0].operands]
    return Chip(tuple(parts), home, Axons(*tables), entry.repeats)


def _table(program: Program, operand: Operand | None) -> Array:
    raw = None if operand is None else program.arenas[operand.arena].raw
    if operand is None or raw is None:
        raise ProgramError(f"{program.name}: its axons are missing; plan it anew")
    form = np.dtype(operand.format)
    begin, count = int(str(operand.offset_bytes)), int(str(operand.shape[0]))
    return raw[begin : begin + count * form.itemsize].view(form)
