"""How many elements a row-stationary array keeps at work: Nest, array → sets side by side, cycles.

An element slides a row of a filter over a row of inputs; a column of them, as many as the filter
has rows, adds up a row of outputs, and a set is as many columns as rows are made at once. Sets for
other channels stand on each other, sets for other units on each other or side by side. Groups take
their turns: no set reads what another group's set reads. Memories and ports never make it wait:
this is what a mapping itself leaves idle. Source: Chen, Krishna, Emer, Sze, Eyeriss, JSSC 52(1),
2017, section III.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from netwright.cost.nest import Nest
from netwright.errors import UnsupportedError
from netwright.machine.array import SpatialArray


@final
@dataclass(frozen=True, slots=True)
class RowSpread:
    """`filter_rows` x `columns` elements a set, for so many `rows` of outputs; sets for other
    channels, units and groups; steps of every element until all products are made."""

    filter_rows: int
    columns: int
    folds: int
    channel_sets: int
    unit_sets: int
    group_sets: int
    cycles: int

    @property
    def elements(self) -> int:
        """Elements that have something to do."""
        sets = self.folds * self.channel_sets * self.unit_sets * self.group_sets
        return self.filter_rows * self.columns * sets


@final
@dataclass(frozen=True, slots=True)
class _Layer:
    """Sizes by what a loop is: the filter's and the output's rows, the rest of both, and so on."""

    filter_rows: int
    rows: int
    turns: int  # of all other loops of filter and output
    channels: int
    units: int
    groups: int


def row_spread(nest: Nest, array: SpatialArray, groups_aside: bool) -> RowSpread:
    """The sets of fewest cycles, of all; of equally few the most elements at work.

    `groups_aside`: groups also stand on each other or side by side, as units do.

    Raises:
        UnsupportedError: the array has not two axes, or the filter more rows than it.
    """
    if len(array.axes) != 2:
        raise UnsupportedError(f"row_spread: an array of {len(array.axes)} axes; it takes two")
    height, width = (axis.size for axis in array.axes)
    layer = _layer(nest)
    if layer.filter_rows > height:
        raise UnsupportedError(
            f"row_spread: a filter of {layer.filter_rows} rows, and the array has {height}"
        )
    found: list[RowSpread] = []
    for rows in range(1, layer.rows + 1):
        folds = -(-rows // width)
        columns = -(-rows // folds)
        tall, wide = height // (layer.filter_rows * folds), width // columns
        for channels in range(1, min(layer.channels, tall) + 1):
            room = tall // channels * wide
            for groups in range(1, (min(layer.groups, room) if groups_aside else 1) + 1):
                units = min(layer.units, room // groups)
                cycles = layer.turns * -(-layer.rows // rows) * -(-layer.channels // channels)
                cycles *= -(-layer.units // units) * -(-layer.groups // groups)
                found.append(
                    RowSpread(layer.filter_rows, columns, folds, channels, units, groups, cycles)
                )
    return min(found, key=lambda one: (one.cycles, -one.elements))


def _layer(nest: Nest) -> _Layer:
    """The rows are the first window that slides, else the first loop of the output's places."""
    kinds = [nest.dim_class(loop) for loop in range(len(nest.sizes))]
    windows = [[loop for loop, _ in dim.terms] for dim in nest.operands[0] if len(dim.terms) == 2]
    first = windows[0] if windows else []
    places = [i for i, kind in enumerate(kinds) if kind == "places"]
    row = next((i for i in first if kinds[i] == "places"), places[0] if places else None)
    tap = next((i for i in first if kinds[i] == "kernel"), None)

    def size(loop: int | None) -> int:
        return 1 if loop is None else nest.sizes[loop]

    def of(*wanted: str) -> int:
        return math.prod(s for s, kind in zip(nest.sizes, kinds, strict=True) if kind in wanted)

    others = of("places", "kernel") // (size(row) * size(tap))
    return _Layer(size(tap), size(row), others, of("channels"), of("units"), of("groups"))
