"""Program files: loaded as values, and by the native runtime, which then runs them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from netwright.errors import FormatError, NetwrightError
from netwright.frontends.gguf import load_gguf
from netwright.frontends.onnx import load_onnx
from netwright.graph.circuit import Circuit
from netwright.graph.extent import Extent, symbol
from netwright.graph.graph import Graph
from netwright.graph.liquid import Grid, Learning, liquid, wires
from netwright.graph.ops.neuron import CubaLif
from netwright.graph.ops.neuron_rule import Discretisation, Reset
from netwright.graph.synapses import Chance, Matrix, Pairs
from netwright.job.job import Generate, Infer, Stream
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.program.file import HEADER, ROWS, ProgramFile, load, open_program, save
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task
from netwright.run.native import NativeRuntime

from .kind import Kind
from .kind_gguf import tiny_models
from .kind_onnx import small_models
from .mutate_program import mutate_program

_WIDTH = 16
_ROWS = symbol("rows")
_IDENTITY = (0, 0.0, 0.0)
# A mutated program may ask for more work than a test has time for; that is no fault.
_MOST_ELEMENTS = 1 << 18


def _matrix(arena: int, offset: Extent, rows: Extent = _ROWS, form: str = "fp32") -> Operand:
    size = {"fp32": 4, "fp16": 2, "bool": 1, "int64": 8}[form]
    return Operand(arena, offset, form, (rows, _WIDTH), (_WIDTH * size, size))


def _row(arena: int, offset: Extent) -> Operand:
    return Operand(arena, offset, "fp32", (_WIDTH,), (4,))


def _program() -> Program:
    constants = np.random.default_rng(0).standard_normal(2 * _WIDTH).astype(np.float32)
    arenas = (
        Arena("weights", ArenaKind.CONSTANT, 8 * _WIDTH, "ram", raw=constants.view(np.uint8)),
        Arena("scratch", ArenaKind.SCRATCH, 8192, "ram"),
        Arena("io", ArenaKind.INPUT_OUTPUT, 4096, "ram"),
        Arena("state", ArenaKind.STATE, 1024, "ram"),
    )
    x, y = _matrix(2, 0), _matrix(2, 2048)
    a, b, c = _matrix(1, 0), _matrix(1, 1024), _matrix(1, 2048)
    half = _matrix(1, 3072, form="fp16")
    mask = _matrix(1, 4096, form="bool")
    total = Operand(1, 5120, "fp32", (_ROWS, 1), (4, 4))
    outer = Operand(1, 2048, "fp32", (_ROWS, _WIDTH, 1), (_WIDTH * 4, 4, 4))
    tasks = (
        Task("unary", (a, x), (10, 0.0, 0.0), (), 2, "gelu"),
        Task("binary", (b, a, x), (0, *_IDENTITY), (0,), 3, "add"),
        Task("layer_norm", (c, b, _row(0, 0), _row(0, 64), None), (1e-5,), (1,), 2, "norm"),
        Task("softmax", (b, c), (0,), (2,), 1, "softmax"),
        Task("copy", (half, b), (), (3,), 1, "cast"),
        Task("binary", (mask, b, c), (9, *_IDENTITY), (3,), 1, "compare"),
        Task("where", (y, mask, b, c), (), (4, 5), 2, "where"),
        Task("reduce", (total, outer), (0,), (6,), 1, "reduce"),
        Task("fill", (_matrix(3, 0, 4),), (1.5,), (), 1, "fill"),
    )
    entry = Entry("step", tasks, (("rows", 1, 8),), 8, (("x", x),), (("y", y),))
    return Program("fuzzed", arenas, (entry,), threads=2)


def _circuit() -> Graph:
    """Few neurons with every opcode of spiking networks."""
    random = np.random.default_rng(0)
    circuit = Circuit("fuzzed", 1e-3)
    rule = Discretisation(1e-3, reset=Reset.VALUE, refractory_steps=2)
    source = circuit.source("source", 70, 200.0)
    kind = CubaLif(1e-2, (5e-3, 2e-3), 1.0, rule)
    cells = circuit.population("cells", 66, kind, {"v": random.random(66)})
    circuit.noise(cells, 500.0, 0.4)
    pairs = random.integers(0, 66, (2, 300))
    delays = random.integers(1, 4, 300)
    circuit.project(source, cells, Matrix(random.random((70, 66)) / 8), 0, 2)
    circuit.project(cells, cells, Pairs(pairs[0], pairs[1], random.random(300), delays), 1)
    circuit.project(cells, cells, Chance(0.1, -0.1, seed=2), 1, 3)
    return circuit.graph()


def _seeds(folder: Path) -> list[Path]:
    machine = library_machine("raspberry-pi-5")
    job = Generate(prompt=8, tokens=4, chunk=4, verify=2)
    planned = [make_plan(load_gguf(path), machine, job) for path in tiny_models(folder)]
    graphs = [load_onnx(path, {"batch": 2}) for path in small_models(folder)]
    planned += [make_plan(graph, machine, Infer()) for graph in graphs]
    planned.append(make_plan(_circuit(), machine, Stream(steps=20)))
    learns = liquid(wires(Grid((4, 4, 2), 20)), 2, Learning())
    planned.append(make_plan(learns, machine, Stream(steps=10)))
    programs = [_program(), *(_alone(plan.program) for plan in planned)]
    paths = [folder / f"seed{i}.nwp" for i in range(len(programs))]
    for program, path in zip(programs, paths, strict=True):
        save(program, path)
    return paths


def _alone(program: Program) -> Program:
    """The same program with its weight files inside it."""
    arenas = [
        replace(arena, kind=ArenaKind.CONSTANT, file=None, raw=np.fromfile(file.path, np.uint8))
        if (file := arena.file) is not None
        else arena
        for arena in program.arenas
    ]
    return replace(program, arenas=tuple(arenas))


def _load(path: Path) -> None:
    """As values and in the core, whatever the other says; taken when some entry has run."""
    refusals: list[NetwrightError] = []
    try:
        load(path)
    except NetwrightError as error:
        refusals.append(error)
    file = open_program(path)
    if any(arena.file is not None for arena in file.arenas):
        raise FormatError("the seeds name no files")
    runtime = NativeRuntime(file)
    runs = 0
    for item in file.meta["entries"]:
        low = {str(name): int(least) for name, least, _ in item["bounds"]}
        high = {str(name): int(most) for name, _, most in item["bounds"]}
        middle = {name: (low[name] + high[name]) // 2 for name in low}
        if not _small(file, item, high):
            continue
        for values in (high, middle, low):
            try:
                _call(runtime, str(item["name"]), values)
                runs += 1
            except NetwrightError as error:
                refusals.append(error)
    if not runs:
        raise refusals[0] if refusals else FormatError("nothing was run")


def _call(runtime: NativeRuntime, entry: str, symbols: dict[str, int]) -> None:
    """Runs on inputs of zeros and looks at every output; first with one thread, then with all."""
    inputs = {
        name: np.zeros_like(runtime.view(entry, name, symbols))
        for name in runtime.input_names(entry)
    }
    for threads in (1, 2):
        runtime.set_threads(threads)
        runtime.call(entry, inputs, symbols)


def _small(file: ProgramFile, item: Mapping[str, Any], symbols: dict[str, int]) -> bool:
    """Whether the operands of an entry have few elements, so that a run is short."""
    tables = file.tables
    words = tables.words.astype(np.float64)
    values = np.array([symbols.get(name, 0) for name in tables.symbols], np.float64)
    np.add.at(
        words,
        tables.patches["word"],
        tables.patches["coefficient"] * values[tables.patches["symbol"]],
    )
    first = int(item["first_task"])
    elements = 0.0
    for task in tables.tasks[first : first + int(item["num_tasks"])]:
        at = int(task["first_operand"])
        for row in tables.operands[at : at + int(task["num_operands"])]:
            shape = int(row["first_word"]) + 1
            elements += float(np.prod(words[shape : shape + int(row["rank"])].clip(0, 1e9)))
    return elements * max(1, int(item.get("repeats", 1))) <= _MOST_ELEMENTS


def _repair(data: bytes) -> bytes:
    """Sets the checksum right, where the description can still be read."""
    start = HEADER.itemsize
    try:
        meta_bytes = int(np.frombuffer(data[:start], HEADER)[0]["meta_bytes"])
        rows = json.loads(data[start : start + meta_bytes])["rows"]
        end = start + meta_bytes + sum(rows[name] * row.itemsize for name, row in ROWS.items())
        digest = hashlib.blake2b(data[start:end], digest_size=16).digest()
    except (ValueError, KeyError, TypeError, RecursionError, IndexError):
        return data
    return data[: start - 16] + digest + data[start:]


PROGRAM = Kind("program", ".nwp", _seeds, _load, _repair, mutate_program)
