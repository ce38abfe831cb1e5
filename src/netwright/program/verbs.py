"""The one upward door: a program's verbs (docs/design.md, "The floors").

Imports stand inside the functions: a program itself needs neither simulator nor runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netwright.errors import UnsupportedError
from netwright.program.opcodes import ARRAY_OPCODES, SPIKING_CORE, STAGE_OPCODES

if TYPE_CHECKING:
    from netwright.program.program import Program
    from netwright.timeline.timeline import Timeline


def simulate_program(
    program: Program,
    entry: str,
    symbols: Mapping[str, int],
    spikes: Mapping[str, Any] | None = None,
) -> Timeline:
    """The timeline of one call on the machine that the program was planned for.

    On a chip of spiking cores `spikes` by population give the events of a run (simulate/chip.py).

    Passes of a pipeline's workers take what the program itself says that they were priced at.
    """
    if _has_stages(program):
        from netwright.simulate.pipeline import simulate_stages

        return simulate_stages(program, entry)
    from netwright.machine.load import machine
    from netwright.simulate import simulate

    if _on_chip(program):
        from netwright.simulate.chip import simulate_chip

        return simulate_chip(program, machine(program.machine), spikes)
    if spikes is not None:
        raise UnsupportedError(
            f"{program.name}: is planned for {program.machine}, which is not priced by spikes"
        )
    return simulate(program, machine(program.machine), entry, symbols)


def run_program(
    program: Program, inputs: Mapping[str, Any], entry: str, symbols: Mapping[str, int]
) -> Timeline:
    """One call on this machine, measured task by task; outputs are in `Timeline` no more than
    anything else of the network: use `netwright.run` for them."""
    if any(task.opcode in ARRAY_OPCODES for e in program.entries for task in e.tasks):
        raise UnsupportedError(
            f"{program.name}: is planned for the array of {program.machine}, which is not at hand; "
            "simulate it, or plan for here"
        )
    if _on_chip(program):
        raise UnsupportedError(
            f"{program.name}: is planned for the cores of {program.machine}, which is not at hand; "
            "simulate it, or plan for here"
        )
    if _has_stages(program):
        raise UnsupportedError(
            f"{program.name}: a step of training over workers; it holds neither the chunks' graphs"
            " nor a text: `nw.train(network, machine, job, text)` runs it, in worker processes, and"
            " gives the measured Timelines"
        )
    from netwright.run.native import NativeRuntime

    runtime = NativeRuntime(program)
    runtime.call(entry, inputs, symbols)
    runtime.trace(True)
    runtime.call(entry, inputs, symbols)
    return runtime.timeline()


def _has_stages(program: Program) -> bool:
    """A pipeline's passes have neither a kernel nor a formula: they are what workers do."""
    return any(task.opcode in STAGE_OPCODES for entry in program.entries for task in entry.tasks)


def _on_chip(program: Program) -> bool:
    """Neurons on cores of a chip: their events are counted."""
    return any(task.opcode == SPIKING_CORE for entry in program.entries for task in entry.tasks)
