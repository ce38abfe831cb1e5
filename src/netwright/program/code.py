"""Whose code a program runs, of all that the core holds."""

from __future__ import annotations

from collections.abc import Iterable

from netwright.graph.ops.function import FUNCTION_CODES
from netwright.program.opcodes import FUNCTION_PARAMETER
from netwright.program.program import Entry, Task

# Kernels do these themselves and call `unary`'s code for others (native/kernels/float_tile.hpp).
_OWN_FUNCTIONS = [
    FUNCTION_CODES[name] for name in ("identity", "relu", "clip", "hard_swish", "scaled_hard_swish")
]


def opcodes_run(entries: Iterable[Entry]) -> frozenset[str]:
    """The opcodes whose code is brought in when these entries run."""
    tasks = [task for entry in entries for task in entry.tasks]
    called = {"unary"} if any(_calls_a_function(task) for task in tasks) else set[str]()
    return frozenset({task.opcode for task in tasks} | called)


def _calls_a_function(task: Task) -> bool:
    at = FUNCTION_PARAMETER.get(task.opcode)
    return (
        at is not None and at < len(task.parameters) and task.parameters[at] not in _OWN_FUNCTIONS
    )
