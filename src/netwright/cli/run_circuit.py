"""`netwright run FILE.py`: a spiking circuit for a time, predicted and measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from netwright.cli import later
from netwright.cli.limits import duration
from netwright.cli.screen import print_json, progress, say
from netwright.errors import JobError
from netwright.job.job import Limits

if TYPE_CHECKING:
    from netwright.path.stream import Streamed

RECORDS = ("spikes", "nothing")


@final
@dataclass(frozen=True, slots=True)
class CircuitOptions:
    """What the command line asked of a circuit."""

    time: str | None
    record: str
    limits: Limits
    save: Path | None
    json: bool
    inputs: Path | None = None
    dt_seconds: float | None = None


def run_circuit_file(source: str, options: CircuitOptions) -> None:
    """Runs the circuit of a Python file, or the network of a NIR file, and shows it.

    Raises:
        JobError: no time and no input, or something else to record than there is.
    """
    if options.time is None and options.inputs is None:
        raise JobError(
            f"{source}: a circuit runs for a time; give it --time 1s, or --input spikes.npz"
        )
    if options.record not in RECORDS:
        raise JobError(f"--record {options.record!r}: expected {' or '.join(RECORDS)}")
    seconds = None if options.time is None else duration("--time", options.time)
    inputs = None if options.inputs is None else later.read_spikes(options.inputs)
    with progress() as told:
        graph = later.network_for(source, later.Asked(inputs, seconds, options.dt_seconds))
        done = later.run_circuit(graph, seconds, options.limits, told, inputs)
    written = _save(source, done, options)
    if options.json:
        print_json(as_object(done, written))
        return
    _show(done)
    later.show_outcome(done.outcome)
    for path in written:
        say(f"{path}")


def _save(source: str, done: Streamed, options: CircuitOptions) -> list[Path]:
    """Spikes beside the run, or in the folder that is asked for; the run where one is."""
    written: list[Path] = []
    if options.save is not None:
        rasters = tuple(
            later.raster_of(s.name, (done.steps, s.neurons), done.dt_seconds, s.step, s.neuron)
            for s in done.spikes
        )
        later.save_run(done.outcome, options.save, later.machine("here"), rasters)
        written.append(options.save)
    if options.record == "spikes":
        folder = options.save or Path()
        path = folder / f"{Path(source).stem}.spikes.npz"
        done.save_spikes(path)
        written.append(path)
    return written


def as_object(done: Streamed, written: list[Path]) -> dict[str, Any]:
    """The object of `run --json` for a circuit."""
    return {
        "network": done.outcome.network,
        "steps": done.steps,
        "dt_seconds": done.dt_seconds,
        "populations": [
            {
                "name": s.name,
                "neurons": s.neurons,
                "spikes": len(s.step),
                "rate_hz": s.rate_hz(done.seconds),
            }
            for s in done.spikes
        ],
        "synaptic_events": done.synaptic_events,
        "cpu_seconds": done.cpu_seconds,
        "predicted": done.outcome.predicted.as_dict(),
        "measured": done.outcome.measured.as_dict(),
        "plan": dict(done.outcome.plan),
        "written": [str(path) for path in written],
    }


def _show(done: Streamed) -> None:
    say(f"{done.outcome.network}: {done.steps} steps of {1e3 * done.dt_seconds:g} ms")
    for s in done.spikes:
        rate = s.rate_hz(done.seconds)
        say(f"  {s.name}: {len(s.step)} spikes of {s.neurons} neurons, {rate:.2f} a second each")
    if not done.synaptic_events:
        return  # of dense products nobody counts them
    per_second = done.synaptic_events / max(done.cpu_seconds, 1e-9)
    say(
        f"  {done.synaptic_events} synaptic events, {per_second / 1e6:.0f} million a CPU second;"
        f" {done.cpu_seconds / done.seconds:.3g} CPU seconds a second of the network"
    )
