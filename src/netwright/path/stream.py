"""A spiking circuit for a time: a Python file in, spikes out, predicted and measured."""

from __future__ import annotations

import runpy
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, final

import numpy as np

from netwright.errors import FormatError, JobError
from netwright.graph.graph import Graph
from netwright.graph.tensor import Role
from netwright.job.job import NO_LIMITS, Infer, Limits, Stream
from netwright.native import core
from netwright.path import later
from netwright.path.company import Company
from netwright.path.outcome import Figures, Outcome, promise
from netwright.path.prepare import Progress, silent
from netwright.program.program import ArenaKind
from netwright.run.memory import (
    mapped_bytes,
    peak_resident_bytes,
    reset_peak,
    resident_bytes,
)
from netwright.run.native import NativeRuntime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netwright.timeline.timeline import Timeline

MOST_STEPS = 1 << 30
# Short runs are measured several times, until they are worth a quarter of a second together.
MOST_TURNS, ENOUGH_SECONDS = 9, 0.25


@final
@dataclass(frozen=True, slots=True, eq=False)
class Spikes:
    """What a population fired: of each spike its step and its neuron, in order of time."""

    name: str
    neurons: int
    step: NDArray[np.int32]
    neuron: NDArray[np.int32]

    def rate_hz(self, seconds: float) -> float:
        """Spikes of a neuron and second."""
        return len(self.step) / self.neurons / seconds


@final
@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """A network that has run. `cpu_seconds` is the processor's time of all its threads; `values`
    are outputs [steps, samples, ...] that are kept as numbers."""

    outcome: Outcome
    steps: int
    dt_seconds: float
    spikes: tuple[Spikes, ...]
    synaptic_events: int
    cpu_seconds: float
    values: Mapping[str, NDArray[Any]]

    @property
    def seconds(self) -> float:
        """Biological time."""
        return self.steps * self.dt_seconds

    def save_spikes(self, path: Path) -> None:
        """Writes `NAME.step`, `NAME.neuron` of every population, `steps` and `dt_seconds`; values
        of other outputs as `NAME`.

        Raises:
            FormatError: the file cannot be written.
        """
        arrays: dict[str, Any] = {"steps": self.steps, "dt_seconds": self.dt_seconds}
        arrays |= self.values
        for each in self.spikes:
            arrays[f"{each.name}.step"], arrays[f"{each.name}.neuron"] = each.step, each.neuron
        try:
            np.savez_compressed(path, **arrays)
        except OSError as error:
            raise FormatError(f"{path}: cannot be written ({error.strerror})") from error


def load_circuit(path: Path) -> Graph:
    """Runs a Python file, which sets `network`: the graph of one step.

    Raises:
        FormatError: the file cannot be read.
        JobError: it does not set what it must.
    """
    if not path.is_file():
        raise FormatError(f"{path}: no such file; expected a Python file that sets `network`")
    try:
        found = runpy.run_path(str(path)).get("network")
    except SyntaxError as error:
        raise FormatError(f"{path}: not Python ({error})") from error
    if not isinstance(found, Graph):
        raise JobError(f"{path}: sets no `network`, a Graph; got {type(found).__name__}")
    return found


def step_seconds(graph: Graph) -> float:
    """The time that one step of a circuit stands for.

    Raises:
        JobError: there is no neuron, or two with different steps.
    """
    rules = (getattr(op.kind, "rule", None) for op, _ in graph.ops())
    found = {rule.dt_seconds for rule in rules if rule is not None}
    if len(found) != 1:
        what = "has no neuron" if not found else f"has steps of {sorted(found)} s"
        raise JobError(f"{graph.name}: {what}; a run for a time needs one length of a step")
    return found.pop()


def steps_of(graph: Graph, seconds: float) -> int:
    """How many steps a time is.

    Raises:
        JobError: none, or far too many.
    """
    dt = step_seconds(graph)
    steps = round(seconds / dt)
    if not 1 <= steps <= MOST_STEPS:
        raise JobError(f"--time {seconds} s: is {steps} steps of {dt} s, expected 1 to 2^30")
    return steps


def keeps_state(graph: Graph) -> bool:
    """Whether the graph is one step of a network that runs step by step."""
    return any(t.role is Role.STATE for t in graph.tensors)


def run_circuit(
    graph: Graph,
    seconds: float | None,
    limits: Limits = NO_LIMITS,
    progress: Progress = silent,
    inputs: Mapping[str, NDArray[Any]] | None = None,
) -> Streamed:
    """Runs a spiking network for a biological time, or as long as its inputs [steps, ...] last.

    Every step runs in the core, none in Python. Inputs that are shorter than the time are silent
    after it. A graph over all of its steps is one call.

    Raises:
        JobError: the time is no step or far too many, or inputs do not fit.
        NetwrightError: as planning and running do.
    """
    steps, rows = _asked(graph, seconds, inputs or {})
    progress("planning", 0.1)
    machine = later.machine("here", progress)
    job = Stream(steps=steps, limits=limits) if keeps_state(graph) else Infer(limits=limits)
    entry = "step" if keeps_state(graph) else "forward"
    plan = later.make_plan(graph, machine, job)
    program = plan.lower()
    progress("running", 0.5)
    # The core and the weights that lowering made are there already, and the program needs them.
    made = sum(a.size_bytes for a in program.arenas if a.kind is ArenaKind.CONSTANT)
    before = resident_bytes() - made - mapped_bytes(core.__file__)
    reset_peak()
    first = tuple(e.name for e in program.entries if e.name == "start")
    turn = _Turn(NativeRuntime(program), (*first, entry), rows)
    company = Company()
    took, spent = _timed(turn, company)
    company.leave()
    peak = peak_resident_bytes() - before
    spikes, values = _outputs(graph, turn.runtime, entry)
    prediction = plan.prediction(entry)

    @cache
    def look() -> tuple[Timeline, Timeline]:
        turn.runtime.trace(True)
        turn.prepare()
        turn.run()
        predicted = later.simulate(program, machine, entry, {})
        return predicted, replace(turn.runtime.timeline(), peak_memory_bytes=peak)

    progress("done", 1.0)
    fired = {s.name: np.stack([s.step, s.neuron], axis=1) for s in spikes}
    outcome = Outcome(
        graph.name,
        "here",
        Figures(plan.peak_memory_bytes, prediction.joules, seconds=prediction.seconds),
        Figures(peak, seconds=took),
        promise(later.plan_summary(plan)),
        look,
        outputs={**values, **fired},
        notes=company.notes(machine),
    )
    sent = {s.name: s for s in (*spikes, *_given_spikes(rows))}
    events = synaptic_events(graph, sent)
    return Streamed(outcome, steps, step_seconds(graph), spikes, events, spent, values)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """One run among several of the same: each begins from nothing, with its inputs laid anew."""

    runtime: NativeRuntime
    entries: tuple[str, ...]  # in order; the last has the inputs
    rows: Mapping[str, NDArray[np.float32]]

    def prepare(self) -> None:
        """What is no part of the time. Nothing promises that inputs outlast a run."""
        self.runtime.reset()
        for name, given in self.rows.items():
            view = self.runtime.view(self.entries[-1], name, {})
            view[...] = packed_spikes(given, view.shape[1]) if view.dtype == np.uint8 else given

    def run(self) -> None:
        """All steps."""
        for entry in self.entries:
            self.runtime.execute(entry, {})


def _timed(turn: _Turn, company: Company) -> tuple[float, float]:
    """Seconds and CPU seconds of a run: one when it is long, else the median of some.

    The first of several is left out: it also fetches the pages that it writes.
    """
    turns: list[tuple[float, float]] = []
    while not turns or (len(turns) < MOST_TURNS and sum(t for t, _ in turns) < ENOUGH_SECONDS):
        company.look()
        turn.prepare()
        start, spent = time.perf_counter(), time.process_time()
        turn.run()
        turns.append((time.perf_counter() - start, time.process_time() - spent))
    walls, spents = zip(*(turns[1:] or turns), strict=True)
    return median(walls), median(spents)


def _asked(
    graph: Graph, seconds: float | None, inputs: Mapping[str, NDArray[Any]]
) -> tuple[int, dict[str, NDArray[np.float32]]]:
    """The number of steps, and the rows of every input, silent where they end early.

    Raises:
        JobError: an input is missing, or does not fit the network.
    """
    given = later.rows_of_inputs(graph, inputs)
    longest = max((len(rows) for rows in given.values()), default=None)
    steps = longest if seconds is None else steps_of(graph, seconds)
    if steps is None:
        raise JobError(f"{graph.name}: runs for a time; give it --time 1s, or --input spikes.npz")
    rows: dict[str, NDArray[np.float32]] = {}
    for name, array in given.items():
        rows[name] = np.zeros((steps, *array.shape[1:]), np.float32)
        rows[name][: len(array)] = array[:steps]
    return steps, rows


def packed_spikes(rows: NDArray[Any], row_bytes: int) -> NDArray[np.uint8]:
    """Rows of bits of spikes [steps, 1, neurons], as the core keeps them.

    Raises:
        JobError: a value is no spike (0 or 1).
    """
    fired = rows.reshape(len(rows), -1) != 0
    if not np.array_equal(rows.reshape(fired.shape)[fired], np.ones(int(fired.sum()))):
        raise JobError("input: values other than 0 and 1; these neurons are given spikes")
    packed = np.zeros((len(rows), row_bytes), np.uint8)
    bits = np.packbits(fired, axis=1, bitorder="little")
    packed[:, : bits.shape[1]] = bits
    return packed


def _given_spikes(rows: Mapping[str, NDArray[Any]]) -> list[Spikes]:
    """What came from outside, as steps and neurons."""
    return [_fired(name, array) for name, array in rows.items() if array.ndim == 3]


def _fired(name: str, array: NDArray[Any]) -> Spikes:
    step, neuron = np.nonzero(array.reshape(len(array), -1))
    size = int(np.prod(array.shape[1:]))
    return Spikes(name, size, step.astype(np.int32), neuron.astype(np.int32))


def _outputs(
    graph: Graph, runtime: NativeRuntime, entry: str
) -> tuple[tuple[Spikes, ...], dict[str, NDArray[Any]]]:
    """The recorded spikes as steps and neurons; other outputs [steps, samples, ...] as they are."""
    found: list[Spikes] = []
    values: dict[str, NDArray[Any]] = {}
    for place in graph.outputs:
        name, size = graph[place].name, graph[place].shape[-1]
        assert isinstance(size, int)
        rows = runtime.view(entry, name, {})
        if rows.dtype != np.uint8:
            values[name] = rows.copy()
            if rows.shape[1] == 1 and not np.any((rows != 0) & (rows != 1)):
                found.append(_fired(name, rows))
            continue
        some = np.flatnonzero(rows.any(axis=1))
        bits = np.unpackbits(rows[some], axis=1, bitorder="little")[:, :size]
        row, neuron = np.nonzero(bits)
        found.append(Spikes(name, size, some[row].astype(np.int32), neuron.astype(np.int32)))
    return tuple(found), values


def synaptic_events(graph: Graph, spikes: Mapping[str, Spikes]) -> int:
    """Synapses that the spikes went over: of every spike the synapses of its neuron."""
    total = 0
    for name, degree in later.out_degrees(graph):
        if name in spikes:
            found = spikes[name]
            total += int(degree[found.neuron].sum())
    return total
