"""What every runtime written in Python refuses before it runs: names, shapes, symbols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError, RunError
from netwright.graph.extent import resolve
from netwright.program.file import ProgramFile, load
from netwright.program.program import Entry, Operand, Program


def whole_program(program: Program | ProgramFile) -> Program:
    """The program as values.

    Raises:
        FormatError: its file is damaged.
    """
    return program if isinstance(program, Program) else load(program.path)


def entry_of(program: Program, name: str) -> Entry:
    """The entry of this name.

    Raises:
        RunError: there is none.
    """
    try:
        return program.entry(name)
    except ProgramError as error:
        raise RunError(str(error)) from error


def checked_symbols(program: Program, entry: Entry, symbols: Mapping[str, int]) -> dict[str, int]:
    """A value for every symbol; those not given are at their lowest.

    Raises:
        RunError: a value is outside its bounds, or together they are above the entry's limit.
    """
    values: dict[str, int] = {}
    for name, low, high in entry.bounds:
        value = values[name] = int(symbols.get(name, low))
        if not low <= value <= high:
            raise RunError(
                f"{program.name}.{entry.name}: symbol {name} is {value}, expected {low} to {high}"
            )
    if sum(values.values()) > entry.limit:
        raise RunError(
            f"{program.name}.{entry.name}: symbols {values} add up to more than {entry.limit}"
        )
    return values


def checked_inputs(
    program: Program,
    entry: Entry,
    inputs: Mapping[str, NDArray[Any]],
    symbols: Mapping[str, int],
) -> list[tuple[Operand, NDArray[Any]]]:
    """Every input of the entry with its array.

    Raises:
        RunError: one is missing, unknown or of another shape.
    """
    unknown = set(inputs) - {name for name, _ in entry.inputs}
    if unknown:
        raise RunError(f"{program.name}.{entry.name}: no input {sorted(unknown)}")
    pairs: list[tuple[Operand, NDArray[Any]]] = []
    for name, operand in entry.inputs:
        if name not in inputs:
            raise RunError(f"{program.name}.{entry.name}: input {name!r} is missing")
        array = np.asarray(inputs[name])
        shape = tuple(resolve(e, symbols) for e in operand.shape)
        if array.shape != shape:
            raise RunError(
                f"{program.name}.{entry.name}: input {name!r} has shape {array.shape}, "
                f"expected {shape}"
            )
        pairs.append((operand, array))
    return pairs
