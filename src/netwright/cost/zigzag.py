"""ZigZag's answers, read: its loop nests placed on our arrays, and where our counts differ.

A file holds `layers`: of each `network`, `layer`, `hardware` (a machine of the library), loop sizes
(`dims`; `stride` and `input_extent` of a convolution), and as ZigZag 3.9.1 prints them
`temporal_mapping` and `spatial_mapping` by operand and level ("(K, 8)"), `energy_pj`, `cycles`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping as Named
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from netwright.cost.loop_nest import Placed, parts
from netwright.cost.nest import Mapping, Nest, TensorDim
from netwright.errors import FormatError
from netwright.machine.array import OPERANDS, SpatialArray
from netwright.machine.load import machine

MOST_BYTES = 1 << 26
LETTERS = ("I", "W", "O")  # ZigZag's names of OPERANDS
FLOWS = {
    "rd_out_to_low": "feed",
    "wr_in_by_low": "update",
    "rd_out_to_high": "drain",
    "wr_in_by_high": "fill",
}
SAME = 1e-9  # relative: the same sum in another order


@final
@dataclass(frozen=True)
class ZigZagLayer:
    """A layer as ZigZag mapped and counted it. `joules`: of the memories, by operand, memory, flow.

    `cycles`: loading, computing, unloading.
    """

    network: str
    name: str
    placed: Placed
    joules: Named[tuple[str, str, str], float]
    memory_joules: float
    cycles: tuple[float, float, float]

    def differences(self) -> tuple[str, ...]:
        """The parts of the energy which are not ours, a line each."""
        found = {(p.operand, p.memory, p.flow): p.joules for p in parts(self.placed)}
        return tuple(
            f"{self.name}: {' '.join(key)}: ZigZag {theirs:g} J, ours {ours:g} J"
            for key in sorted({*self.joules, *found})
            for theirs, ours in [(self.joules.get(key, 0.0), found.get(key, 0.0))]
            if abs(ours - theirs) > SAME * max(1e-12, theirs)
        )


def read_layers(path: Path) -> tuple[ZigZagLayer, ...]:
    """Every layer of a file.

    Raises:
        FormatError: it cannot be read, or a layer is not as described above.
        MachineError: the library has no such machine.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FormatError(f"{path}: more than {MOST_BYTES} bytes; split it")
        rows: list[Any] = list(json.loads(path.read_bytes())["layers"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(f"{path}: no JSON with `layers` ({error!r})") from error
    layers: list[ZigZagLayer] = []
    for number, row in enumerate(rows):
        try:
            layers.append(_layer(row))
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise FormatError(
                f"{path}: layers[{number}]: {error!r}; expected what cost/zigzag.py describes"
            ) from error
    return tuple(layers)


def _layer(row: dict[str, Any]) -> ZigZagLayer:
    found = machine(row["hardware"].replace("_", "-"))
    array = found.units[0].array
    if array is None:
        raise ValueError(f"machine {found.name!r} has no array")
    nest = _nest(row)
    levels = tuple(array.levels_of(operand) for operand in OPERANDS)
    energy = row["energy_pj"]
    joules: dict[tuple[str, str, str], float] = {}
    for operand, letter, held in zip(OPERANDS, LETTERS, levels, strict=True):
        each = energy["per_level_per_operand"][letter]
        for level, flows in zip(held, each, strict=True):
            for name, picojoules in flows.items():
                joules[operand, array.levels[level].memory, FLOWS[name]] = picojoules * 1e-12
    loading, computing, unloading = (float(count) for count in row["cycles"].values())
    return ZigZagLayer(
        row["network"],
        row["layer"],
        Placed(found, array, nest, _mapping(row, nest, array, levels)),
        joules,
        (energy["total"] - energy["mac"]) * 1e-12,
        (loading, computing, unloading),
    )


def _nest(row: dict[str, Any]) -> Nest:
    sizes = {name: int(size) for name, size in row["dims"].items() if size > 1}
    index = {name: i for i, name in enumerate(sizes)}

    def plain(*names: str) -> tuple[TensorDim, ...]:
        return tuple(TensorDim(((index[n], 1),), sizes[n]) for n in names if n in index)

    def window(place: str, tap: str) -> tuple[TensorDim, ...]:
        if place not in index:
            return ()
        stride, extent = int(row["stride"]), int(row["input_extent"])
        if tap not in index:  # of a window of one, ZigZag counts what is used
            return (TensorDim(((index[place], stride),), min(extent, sizes[place])),)
        return (TensorDim(((index[place], stride), (index[tap], 1)), extent),)

    return Nest(
        tuple(sizes),
        tuple(sizes.values()),
        (
            (*plain("B", "D", "G", "C"), *window("OX", "FX"), *window("OY", "FY")),
            plain("G", "K", "C", "FX", "FY"),
            plain("B", "D", "G", "K", "OX", "OY"),
        ),
    )


def _loop(text: str) -> tuple[str, int]:
    name, count = text.strip("()").split(",")
    return name.strip(), int(count)


def _mapping(
    row: dict[str, Any], nest: Nest, array: SpatialArray, levels: tuple[tuple[int, ...], ...]
) -> Mapping:
    index = {name: i for i, name in enumerate(nest.names)}
    turns = [[[_loop(t) for t in one] for one in row["temporal_mapping"][o]] for o in LETTERS]
    orders = [[loop for level in operand for loop in level] for operand in turns]
    if any(order != orders[0] for order in orders):
        raise ValueError("temporal_mapping: operands differ in the order of their loops")
    (temporal, *_), spatial = orders, list[tuple[int, int, int]]()
    for name, unrolled in (_loop(t) for one in row["spatial_mapping"]["I"] for t in one):
        loop = index[name]
        axis = _free_axis(array, nest.dim_class(loop), unrolled, spatial)
        # What is left of the loop; ZigZag prints the whole axis where members idle now and then.
        rest = nest.sizes[loop] / math.prod(count for n, count in temporal if n == name)
        spatial.append((axis, loop, math.ceil(rest)))
    counts = [[len(level) for level in operand] for operand in turns]
    return Mapping(
        tuple(spatial),
        tuple((index[name], count) for name, count in temporal if name in index),
        levels,
        tuple(tuple(sum(c[: i + 1]) for i in range(len(c) - 1)) for c in counts),
    )


def _free_axis(
    array: SpatialArray, kind: str, members: int, taken: list[tuple[int, int, int]]
) -> int:
    """The first axis with room that a loop of this class may be unrolled over."""
    for number, axis in enumerate(array.axes):
        used = math.prod(unrolled for which, _, unrolled in taken if which == number)
        if kind in axis.dims and used * members <= axis.size:
            return number
    raise ValueError(f"spatial_mapping: no axis with room for {members} of {kind!r}")
