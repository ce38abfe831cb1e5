"""Program files: loaded as values, and by the native runtime, which then runs them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from netwright.errors import NetwrightError
from netwright.frontends.gguf import load_gguf
from netwright.frontends.onnx import load_onnx
from netwright.graph.extent import Extent, resolve, symbol
from netwright.job.job import Generate, Infer
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.program.file import HEADER, ROWS, load, open_program, save
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task
from netwright.run.native import NativeRuntime

from .kind import Kind
from .kind_gguf import tiny_models
from .kind_onnx import small_models

_WIDTH = 16
_ROWS = symbol("rows")
_IDENTITY = (0, 0.0, 0.0)
# A mutated program may ask for more work than a test has time for; that is no fault.
_MOST_ELEMENTS = 1 << 16


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


def _seeds(folder: Path) -> list[Path]:
    machine = library_machine("raspberry-pi-5")
    job = Generate(prompt=8, tokens=4, chunk=4, verify=2)
    planned = [make_plan(load_gguf(path), machine, job) for path in tiny_models(folder)]
    graphs = [load_onnx(path, {"batch": 2}) for path in small_models(folder)]
    planned += [make_plan(graph, machine, Infer()) for graph in graphs]
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
    program = load(path)
    if any(arena.file is not None for arena in program.arenas):
        return
    runtime = NativeRuntime(open_program(path))
    for entry in program.entries:
        symbols = {name: high for name, _, high in entry.bounds}
        if all(_small(task, symbols) for task in entry.tasks):
            for values in (symbols, {name: low for name, low, _ in entry.bounds}):
                try:
                    runtime.execute(entry.name, values)
                except NetwrightError:
                    continue


def _small(task: Task, symbols: dict[str, int]) -> bool:
    # A symbol that no bound names counts as 0, as in the runtime.
    known = defaultdict(int, symbols)
    elements = 0
    for operand in task.operands:
        if operand is not None:
            sizes = [resolve(extent, known) for extent in operand.shape]
            elements += int(np.prod(np.array(sizes, np.float64).clip(0, 1e9)))
    return elements <= _MOST_ELEMENTS


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


PROGRAM = Kind("program", ".nwp", _seeds, _load, _repair)
