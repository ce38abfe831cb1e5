"""Arrays in, arrays out: one forward pass on this machine, predicted and measured."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import JobError
from netwright.job.job import Infer, Limits
from netwright.machine.load import machine
from netwright.path.outcome import Figures, Outcome
from netwright.path.prepare import Prepared, Progress, Request, prepare, silent
from netwright.program.file import load as load_program
from netwright.program.file import operand_from_meta
from netwright.program.footprint import touched_bytes
from netwright.program.program import Operand
from netwright.run.memory import peak_resident_bytes, reset_peak, resident_bytes
from netwright.run.native import PLAIN_DTYPES, NativeRuntime
from netwright.simulate import simulate

Arrays = Mapping[str, NDArray[Any]]


@final
@dataclass(frozen=True, slots=True)
class InferOptions:
    """How to run. `repeats` passes are measured and their median is reported."""

    threads: int | None = None
    repeats: int = 5
    dims: tuple[tuple[str, int], ...] = ()


def prepare_infer(source: str, options: InferOptions, progress: Progress = silent) -> Prepared:
    """The program of one forward pass."""
    job = Infer(limits=Limits(threads=options.threads or 1))
    return prepare(Request(source, "here", job, options.dims), progress)


def input_operands(prepared: Prepared) -> dict[str, Operand]:
    """Name → operand of every input of the forward pass."""
    (entry,) = prepared.file.meta["entries"]
    return {str(name): operand_from_meta(o) for name, o in entry["inputs"]}


def random_inputs(prepared: Prepared, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Seeded inputs of the right shapes: normal floats, small integers."""
    rng = np.random.default_rng(seed)
    made: dict[str, NDArray[Any]] = {}
    for name, operand in input_operands(prepared).items():
        shape = tuple(int(e) for e in operand.shape if isinstance(e, int))
        dtype = PLAIN_DTYPES[operand.format]
        if operand.format in ("fp32", "fp16", "fp64"):
            made[name] = rng.standard_normal(shape).astype(dtype)
        else:
            made[name] = rng.integers(0, 2, shape).astype(dtype)
    return made


def run_arrays(
    source: str,
    inputs: Arrays | None = None,
    options: InferOptions | None = None,
    progress: Progress = silent,
) -> Outcome:
    """One forward pass. Inputs that are not given are seeded random numbers.

    Raises:
        NetwrightError: whatever is wrong with source, inputs or options.
    """
    options = options or InferOptions()
    if options.repeats < 1:
        raise JobError(f"repeats: got {options.repeats}, expected at least 1")
    prepared = prepare_infer(source, options, progress)
    given = {**random_inputs(prepared), **(inputs or {})}
    before = resident_bytes()
    reset_peak()
    runtime = NativeRuntime(prepared.file)
    seconds: list[float] = []
    outputs: dict[str, NDArray[Any]] = {}
    for _ in range(options.repeats + 1):  # the first one touches memory for the first time
        start = time.perf_counter()
        outputs = runtime.call("forward", given, {})
        seconds.append(time.perf_counter() - start)
    peak = peak_resident_bytes() - before
    runtime.trace(True)
    runtime.call("forward", given, {})
    measured = Figures(peak, seconds=median(seconds[1:]))
    traced = replace(runtime.timeline(), peak_memory_bytes=peak)
    return _outcome(prepared, runtime, measured, (traced, outputs))


def _outcome(
    prepared: Prepared, runtime: NativeRuntime, measured: Figures, ran: tuple[Any, Arrays]
) -> Outcome:
    program = load_program(Path(prepared.file.path))
    timeline = simulate(program, machine("here"), "forward", {})
    footprint = touched_bytes(program, [("forward", {})])
    predicted = Figures(
        footprint + runtime.workspace_bytes * program.threads,
        timeline.joules,
        seconds=timeline.seconds,
    )
    (prediction,) = prepared.summary["predictions"]
    promise = {
        "bound_seconds": prediction["bound_seconds"],
        "gap": prediction["gap"],
        "certificate": prediction["certificate"],
        "memory": prepared.summary["memory"]["certificate"],
        "explanation": prepared.summary["explanation"],
    }
    traced, outputs = ran
    return Outcome(
        program.name, "here", predicted, measured, promise, timeline, traced, outputs=outputs
    )
