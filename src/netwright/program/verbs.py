"""The one upward door: a program's verbs (docs/design.md, "The floors").

Imports stand inside the functions: a program itself needs neither simulator nor runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netwright.errors import UnsupportedError
from netwright.program.opcodes import STAGE_OPCODES

if TYPE_CHECKING:
    from netwright.program.program import Program
    from netwright.timeline.timeline import Timeline


def simulate_program(program: Program, entry: str, symbols: Mapping[str, int]) -> Timeline:
    """The timeline of one call on the machine that the program was planned for."""
    _refuse_stages(program, "`netwright schedule` and `Training.predict` simulate it")
    from netwright.machine.load import machine
    from netwright.simulate import simulate

    return simulate(program, machine(program.machine), entry, symbols)


def run_program(
    program: Program, inputs: Mapping[str, Any], entry: str, symbols: Mapping[str, int]
) -> Timeline:
    """One call on this machine, measured task by task; outputs are in `Timeline` no more than
    anything else of the network: use `netwright.run` for them."""
    _refuse_stages(program, "`nw.train` runs it, in worker processes")
    from netwright.run.native import NativeRuntime

    runtime = NativeRuntime(program)
    runtime.call(entry, inputs, symbols)
    runtime.trace(True)
    runtime.call(entry, inputs, symbols)
    return runtime.timeline()


def _refuse_stages(program: Program, instead: str) -> None:
    """A pipeline's passes have neither a kernel nor a formula: they are what workers do."""
    if any(task.opcode in STAGE_OPCODES for entry in program.entries for task in entry.tasks):
        raise UnsupportedError(f"{program.name}: a step of training over workers; {instead}")
