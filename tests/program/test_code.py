"""Whose code a program runs."""

import pytest

from netwright.graph.ops.function import FUNCTION_CODES
from netwright.program.code import opcodes_run
from netwright.program.opcodes import FUNCTION_PARAMETER
from netwright.program.program import Entry, Task


def entry(function: str, opcode: str) -> Entry:
    parameters = (0,) * FUNCTION_PARAMETER[opcode] + (FUNCTION_CODES[function], 1.0, 0.0)
    return Entry("forward", (Task(opcode, (), parameters, (), 1, "source"),), (), 0, (), ())


@pytest.mark.parametrize("opcode", sorted(set(FUNCTION_PARAMETER) - {"unary"}))
def test_a_function_that_a_kernel_calls_brings_its_code(opcode: str) -> None:
    assert opcodes_run([entry("gelu", opcode)]) == {opcode, "unary"}
    for own in ("identity", "relu", "clip", "hard_swish"):
        assert opcodes_run([entry(own, opcode)]) == {opcode}


def test_only_entries_that_run_count() -> None:
    both = entry("tanh", "binary"), entry("relu", "conv_packed")
    assert opcodes_run(both[1:]) == {"conv_packed"}
    assert opcodes_run(both) == {"binary", "conv_packed", "unary"}
