"""Steps and mappings → Program: one task a step, values at addresses of the outermost memory."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import final

from netwright.cost.nest import Nest
from netwright.cost.nest_code import encode
from netwright.graph.graph import Graph
from netwright.machine.array import SpatialArray
from netwright.machine.machine import Machine, Unit
from netwright.plan.allocate import Block, Packing, pack_blocks
from netwright.plan.mapping.search import Mapped
from netwright.plan.mapping.steps import Steps, Value, is_weight
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task

ENTRY = "forward"
_FORMATS = {1: "int8", 2: "fp16", 4: "fp32", 8: "fp64"}  # by bytes of an element


@final
@dataclass(frozen=True, slots=True)
class Lowered:
    """A program, and how its values were packed."""

    program: Program
    packing: Packing
    weights_bytes: int


def element_format(bits: int) -> str:
    """The plain format that an element of so many bits is stored in."""
    return _FORMATS[1 << max(0, (bits + 7) // 8 - 1).bit_length()]


def lower_steps(
    graph: Graph, machine: Machine, unit: Unit, steps: Steps, mapped: Table[Nest, Mapped | None]
) -> Lowered:
    """The program of one pass, entry "forward". A nest without a mapping is a systolic one."""
    assert unit.array is not None
    places = _Places(graph, unit.array, steps)
    tasks: list[Task] = []
    last: dict[Value, int] = {}
    for step in steps.steps:
        reads = step.reads
        code: tuple[int, ...] = ()
        if step.nest is not None:
            found = mapped[step.nest]
            nest = step.nest if found is None else found.placed.nest
            code = encode(nest, None if found is None else found.placed.mapping)
            if nest.operands != step.nest.operands:
                reads = (reads[1], reads[0])  # taken from the other side
        operands = tuple(places.operand(value) for value in (step.written, *reads))
        waits = tuple(sorted({last[value] for value in reads if value in last}))
        opcode = "stream" if step.nest is None else "nest"
        last[step.written] = len(tasks)
        tasks.append(Task(opcode, operands, code, waits, 1, step.source))
    home = machine.home(unit).name
    arenas = (
        Arena("weights", ArenaKind.STATE, max(1, places.weights_bytes), home),
        Arena("activations", ArenaKind.SCRATCH, max(1, places.packing.height_bytes), home),
    )
    inputs, outputs = (
        tuple((graph[i].name, places.operand(steps.views.get(i, i))) for i in found)
        for found in (graph.inputs, graph.outputs)
    )
    entry = Entry(ENTRY, tuple(tasks), (), 0, inputs, outputs)
    program = Program(graph.name, arenas, (entry,), (unit.name,), 1, machine.name)
    return Lowered(program, places.packing, places.weights_bytes)


class _Places:
    """Where every value lies: weights one after the other, the rest packed by lifetime."""

    def __init__(self, graph: Graph, array: SpatialArray, steps: Steps) -> None:
        self.elements = steps.elements
        self.formats: dict[Value, str] = {}
        self.offsets: dict[Value, int] = {}
        self.weights: set[Value] = set()
        self.weights_bytes = 0
        born: dict[Value, int] = {steps.views.get(i, i): 0 for i in graph.inputs}
        dies: dict[Value, int] = {}
        for index, step in enumerate(steps.steps):
            born.setdefault(step.written, index)
            for value in (step.written, *step.reads):
                if is_weight(graph, value):
                    self._weight(value, element_format(array.weight_bits))
                else:
                    born.setdefault(value, 0)
                    dies[value] = index + 1
        for i in graph.outputs:
            born.setdefault(steps.views.get(i, i), 0)
            dies[steps.views.get(i, i)] = len(steps.steps) + 1
        values = [v for v in born if v not in self.weights]
        width = element_format(array.input_bits)
        size = {"int8": 1, "fp16": 2, "fp32": 4, "fp64": 8}[width]
        blocks = tuple(
            Block(max(1, self.elements[v] * size), born[v], max(born[v] + 1, dies.get(v, 0)), 64)
            for v in values
        )
        self.packing = pack_blocks(blocks)
        for value, offset in zip(values, self.packing.offsets, strict=True):
            self.offsets[value], self.formats[value] = offset, width

    def _weight(self, value: Value, width: str) -> None:
        if value in self.weights:
            return
        size = {"int8": 1, "fp16": 2, "fp32": 4, "fp64": 8}[width]
        self.weights.add(value)
        self.offsets[value], self.formats[value] = self.weights_bytes, width
        self.weights_bytes += -(-self.elements[value] * size // 64) * 64

    def operand(self, value: Value) -> Operand:
        width = self.formats[value]
        size = {"int8": 1, "fp16": 2, "fp32": 4, "fp64": 8}[width]
        arena = 0 if value in self.weights else 1
        return Operand(arena, self.offsets[value], width, (self.elements[value],), (size,))
