"""A spiking circuit for a time: a Python file in, spikes out, predicted and measured."""

from __future__ import annotations

import runpy
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from netwright.errors import FormatError, JobError
from netwright.graph.graph import Graph
from netwright.job.job import NO_LIMITS, Limits, Stream
from netwright.native import core
from netwright.path import later
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
    """A circuit that has run. `cpu_seconds` is the processor's time of all its threads."""

    outcome: Outcome
    steps: int
    dt_seconds: float
    spikes: tuple[Spikes, ...]
    synaptic_events: int
    cpu_seconds: float

    @property
    def seconds(self) -> float:
        """Biological time."""
        return self.steps * self.dt_seconds

    def save_spikes(self, path: Path) -> None:
        """Writes `NAME.step`, `NAME.neuron` of every population, `steps` and `dt_seconds`.

        Raises:
            FormatError: the file cannot be written.
        """
        arrays: dict[str, Any] = {"steps": self.steps, "dt_seconds": self.dt_seconds}
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


def run_circuit(
    graph: Graph, seconds: float, limits: Limits = NO_LIMITS, progress: Progress = silent
) -> Streamed:
    """Runs a circuit for a biological time; every step in the core, none in Python.

    Raises:
        JobError: the time is no step, or far too many.
        NetwrightError: as planning and running do.
    """
    dt = step_seconds(graph)
    steps = round(seconds / dt)
    if not 1 <= steps <= MOST_STEPS:
        raise JobError(f"--time {seconds} s: is {steps} steps of {dt} s, expected 1 to 2^30")
    progress("planning", 0.1)
    machine = later.machine("here", progress)
    plan = later.make_plan(graph, machine, Stream(steps=steps, limits=limits))
    program = plan.lower()
    progress("running", 0.5)
    # The core and the weights that lowering made are there already, and the program needs them.
    made = sum(a.size_bytes for a in program.arenas if a.kind is ArenaKind.CONSTANT)
    before = resident_bytes() - made - mapped_bytes(core.__file__)
    reset_peak()
    runtime = NativeRuntime(program)
    begins = any(entry.name == "start" for entry in program.entries)

    def run() -> None:
        runtime.reset()
        if begins:
            runtime.execute("start", {})
        runtime.execute("step", {})

    start, spent = time.perf_counter(), time.process_time()
    run()
    took, spent = time.perf_counter() - start, time.process_time() - spent
    peak = peak_resident_bytes() - before
    spikes = _spikes(graph, runtime)
    prediction = plan.prediction("step")

    @cache
    def look() -> tuple[Timeline, Timeline]:
        runtime.trace(True)
        run()
        predicted = later.simulate(program, machine, "step", {})
        return predicted, replace(runtime.timeline(), peak_memory_bytes=peak)

    progress("done", 1.0)
    outcome = Outcome(
        graph.name,
        "here",
        Figures(plan.peak_memory_bytes, prediction.joules, seconds=prediction.seconds),
        Figures(peak, seconds=took),
        promise(later.plan_summary(plan)),
        look,
        outputs={s.name: np.stack([s.step, s.neuron], axis=1) for s in spikes},
    )
    events = synaptic_events(graph, {s.name: s for s in spikes})
    return Streamed(outcome, steps, dt, spikes, events, spent)


def _spikes(graph: Graph, runtime: NativeRuntime) -> tuple[Spikes, ...]:
    """The recorded bits as steps and neurons."""
    found: list[Spikes] = []
    for place in graph.outputs:
        name, size = graph[place].name, graph[place].shape[-1]
        assert isinstance(size, int)
        rows = runtime.view("step", name, {})
        some = np.flatnonzero(rows.any(axis=1))
        bits = np.unpackbits(rows[some], axis=1, bitorder="little")[:, :size]
        row, neuron = np.nonzero(bits)
        found.append(Spikes(name, size, some[row].astype(np.int32), neuron.astype(np.int32)))
    return tuple(found)


def synaptic_events(graph: Graph, spikes: Mapping[str, Spikes]) -> int:
    """Synapses that the spikes went over: of every spike the synapses of its neuron."""
    total = 0
    for name, degree in later.out_degrees(graph):
        if name in spikes:
            found = spikes[name]
            total += int(degree[found.neuron].sum())
    return total
