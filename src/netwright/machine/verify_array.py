"""Array, checked against its machine: what a schema cannot say about how its parts fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from netwright.errors import MachineError
from netwright.machine.array import DIM_CLASSES, FLOWS, OPERANDS, ArrayLevel, SpatialArray
from netwright.machine.machine import Machine, Unit


def verify_array(machine: Machine, unit: Unit) -> None:
    """Checks the array of a unit.

    Raises:
        MachineError: names the machine, the field, what was got, and what would help.
    """
    array = unit.array
    if array is None:
        _fail(machine, unit, "array", "got none", f"{unit.cost_model} needs one")
    axes = [axis.name for axis in array.axes]
    if len(set(axes)) != len(axes):
        _fail(machine, unit, "array.axes", f"got {axes}", "give each its own name")
    for axis in array.axes:
        _known(machine, unit, f"array.axes.{axis.name}.dims", axis.dims, DIM_CLASSES)
        _known(machine, unit, f"array.axes.{axis.name}.reuse", axis.reuse, OPERANDS)
    for level in array.levels:
        _level(machine, unit, level, axes)
    for operand in OPERANDS:
        _path(machine, unit, array, operand)
    if unit.cost_model == "systolic" and (array.dataflow is None or len(array.axes) != 2):
        got = f"got dataflow {array.dataflow!r} and axes {axes}"
        _fail(machine, unit, "array", got, "give a dataflow and two axes: rows, then columns")


def _level(machine: Machine, unit: Unit, level: ArrayLevel, axes: list[str]) -> None:
    where = f"array.levels.{level.memory}"
    _known(machine, unit, f"{where}.memory", (level.memory,), unit.memories)
    _known(machine, unit, f"{where}.operands", level.operands, OPERANDS)
    _known(machine, unit, f"{where}.optional", level.optional, level.operands)
    _known(machine, unit, f"{where}.serves", level.serves, axes)
    flows = [f"{operand}.{flow}" for operand in level.operands for flow in FLOWS]
    for port in level.ports:
        _known(machine, unit, f"{where}.ports.flows", port.flows, flows)
    if level.word_bits % level.access_bits:
        got = f"got words of {level.word_bits} bits and accesses of {level.access_bits}"
        _fail(machine, unit, f"{where}.word_bits", got, "a word is a number of whole accesses")


def _path(machine: Machine, unit: Unit, array: SpatialArray, operand: str) -> None:
    """Every operand has a way out to a memory that serves all; outer ones serve no less."""
    where = f"array.levels ({operand})"
    held = [array.levels[i] for i in array.levels_of(operand)]
    if not held or operand in held[-1].optional:
        _fail(machine, unit, where, "no level is sure to hold all of it", "its outermost must")
    served: set[str] = set()
    for level in held:
        if not served <= set(level.serves):
            got = (
                f"{level.memory} serves {sorted(level.serves)}, a level within it {sorted(served)}"
            )
            _fail(machine, unit, where, got, "a level serves all that the levels within it serve")
        served = set(level.serves)
    if served != {axis.name for axis in array.axes}:
        _fail(machine, unit, where, f"{held[-1].memory} serves {sorted(served)}", "serve all axes")


def _known(
    machine: Machine, unit: Unit, field: str, got: tuple[str, ...], known: Sequence[str]
) -> None:
    odd = [name for name in got if name not in known]
    if odd:
        _fail(machine, unit, field, f"got {odd[0]!r}", f"one of {list(known)}")


def _fail(machine: Machine, unit: Unit, field: str, got: str, remedy: str) -> NoReturn:
    raise MachineError(f"machine {machine.name}: units.{unit.name}.{field}: {got}; {remedy}")
