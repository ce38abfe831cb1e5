"""Arrays in, arrays out: one forward pass on this machine, predicted and measured."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias, final

import numpy as np

from netwright.errors import JobError
from netwright.job.job import KEEP, NO_LIMITS, Infer, Limits, Precision
from netwright.path import later
from netwright.path.company import Company
from netwright.path.outcome import Figures, Outcome, notes, promise
from netwright.path.prepare import Prepared, Progress, Request, prepare, silent
from netwright.program.file import operand_from_meta
from netwright.program.program import Operand
from netwright.run.memory import peak_resident_bytes, reset_peak, resident_bytes
from netwright.run.native import PLAIN_DTYPES, NativeRuntime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netwright.timeline.timeline import Timeline

    Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@final
@dataclass(frozen=True, slots=True)
class InferOptions:
    """How to run. `repeats` passes are measured and their median is reported."""

    threads: int | None = None
    repeats: int = 5
    dims: tuple[tuple[str, int], ...] = ()
    precision: Precision = KEEP
    limits: Limits = NO_LIMITS


def prepare_infer(source: str, options: InferOptions, progress: Progress = silent) -> Prepared:
    """The program of one forward pass."""
    job = Infer(
        precision=options.precision, limits=replace(options.limits, threads=options.threads)
    )
    return prepare(Request(source, "here", job, options.dims), progress)


def input_operands(prepared: Prepared) -> dict[str, Operand]:
    """Name → operand of every input of the forward pass."""
    (entry,) = prepared.file.meta["entries"]
    return {str(name): operand_from_meta(o) for name, o in entry["inputs"]}


def random_inputs(
    prepared: Prepared, seed: int = 0, but: frozenset[str] = frozenset()
) -> dict[str, NDArray[Any]]:
    """Seeded inputs of the right shapes, but for those named: normal floats, small integers."""
    wanted = {n: o for n, o in input_operands(prepared).items() if n not in but}
    if not wanted:
        return {}
    rng = np.random.default_rng(seed)
    made: dict[str, NDArray[Any]] = {}
    for name, operand in wanted.items():
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
    given = dict(inputs or {})
    given |= random_inputs(prepared, but=frozenset(given))
    before = resident_bytes()
    reset_peak()
    runtime = NativeRuntime(prepared.file)
    seconds: list[float] = []
    company = Company()
    outputs: dict[str, NDArray[Any]] = {}
    for _ in range(options.repeats + 1):  # the first one touches memory for the first time
        start = time.perf_counter()
        outputs = runtime.call("forward", given, {})
        seconds.append(time.perf_counter() - start)
        company.look()
    company.leave()
    peak = peak_resident_bytes() - before
    measured = Figures(peak, seconds=median(seconds[1:]))

    @cache
    def look() -> tuple[Timeline, Timeline]:
        runtime.trace(True)
        runtime.call("forward", given, {})
        program = later.load_program(prepared.file.path)
        predicted = later.simulate(program, later.machine("here"), "forward", {})
        return predicted, replace(runtime.timeline(), peak_memory_bytes=peak)

    return Outcome(
        str(prepared.file.meta["name"]),
        "here",
        _predicted(prepared),
        measured,
        promise(prepared.summary),
        look,
        outputs=outputs,
        notes=(*notes(prepared.note), *company.notes(later.machine("here"))),
    )


def _predicted(prepared: Prepared) -> Figures:
    """As the plan was simulated when it was made."""
    kept = prepared.summary["pass"]
    return Figures(kept["peak_memory_bytes"], kept["energy_joules"], seconds=kept["seconds"])
