"""ZigZag 3.9.1 (Mei et al., IEEE TC 70(8), 2021): 29 layers on its loop nests, then mapped anew.

Claim (its output, stored): words, energy by part and cycles of ResNet-18 on its Edge-TPU-like
machine and AlexNet on its Eyeriss-like one, with the loop nests that it chose in 74 to 115 CPU
seconds a network. Here the same nests give the same figures, part by part; then our search maps the
same layers: least cycles for ResNet-18, least energy for AlexNet.

Known differences. ZigZag lets two first loads share a port at full speed, so that some of its
totals are below what the port needs for the words it counts; `total` is never below that, for its
nests and for ours. Both round down the members that idle now and then. Our axes take any loop that
their wires allow (rows or columns of the output, where ZigZag's file pins them).

    python -m studies.spatial.zigzag
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netwright.cost.loop_nest import Placed, parts
from netwright.cost.nest import Mapping, Nest, TensorDim
from netwright.cost.port_stalls import cycles
from netwright.job.job import Goal
from netwright.machine.load import machine
from netwright.plan.mapping.search import Mapped, search

FILE = Path(__file__).with_name("zigzag_layers.json")
MACHINES = {"edge_tpu_like": "edge-tpu-like", "eyeriss_like": "eyeriss-like"}
LEVELS = {
    "edge-tpu-like": ((3, 4), (0, 2, 4), (1, 3, 4)),
    "eyeriss-like": ((0, 5, 6), (1, 4, 6), (2, 3, 5, 6)),
}
AXES = {
    "edge-tpu-like": {"K": (0,), "C": (1,), "OX": (2,), "OY": (3,)},
    "eyeriss-like": {"K": (0,), "C": (1,)},
}
OPERANDS = ("I", "W", "O")


@dataclass(frozen=True)
class Layer:
    """One stored layer: what ZigZag said, and the same mapping here."""

    name: str
    machine: str
    placed: Placed
    stored: dict[str, Any]


def layers(path: Path = FILE) -> list[Layer]:
    """All 29."""
    return [_layer(stored) for stored in json.loads(path.read_text())["layers"]]


def _stride(stored: dict[str, Any]) -> int:
    """ResNet-18 halves in the first convolution of a stage and beside it; AlexNet begins by 4."""
    name = stored["layer"]
    if stored["network"].startswith("alexnet"):
        return 4 if name == "Op0" else 1
    halves = name == "/conv1/Conv" or "downsample" in name
    first = any(f"layer{i}.0/conv1" in name for i in (2, 3, 4))
    return 2 if halves or first else 1


def nest_of_layer(stored: dict[str, Any]) -> Nest:
    """The layer as loops over its positions."""
    sizes = {n: s for n, s in stored["dims"].items() if s > 1}
    index = {n: i for i, n in enumerate(sizes)}
    stride = _stride(stored)

    def plain(*names: str) -> list[TensorDim]:
        return [TensorDim(((index[n], 1),), sizes[n]) for n in names if n in index]

    def window(place: str, tap: str) -> list[TensorDim]:
        if place not in index:
            return []
        count = sizes[place] * (stride if place in index else 1)
        first = stored["layer"] in ("Op0",)
        extent = 224 if first else count
        if tap not in index:
            return [TensorDim(((index[place], stride),), min(extent, sizes[place]))]
        return [TensorDim(((index[place], stride), (index[tap], 1)), extent)]

    inputs = [*plain("B", "D", "G", "C"), *window("OX", "FX"), *window("OY", "FY")]
    weights = plain("G", "K", "C", "FX", "FY")
    outputs = plain("B", "D", "G", "K", "OX", "OY")
    return Nest(
        tuple(sizes), tuple(sizes.values()), (tuple(inputs), tuple(weights), tuple(outputs))
    )


def _loop(text: str) -> tuple[str, int]:
    name, count = text.strip("()").split(",")
    return name.strip(), int(count)


def _layer(stored: dict[str, Any]) -> Layer:
    name = MACHINES[stored["hardware"]]
    found = machine(name)
    array = found.units[0].array
    assert array is not None
    nest = nest_of_layer(stored)
    index = {n: i for i, n in enumerate(nest.names)}
    by_operand = [
        [[_loop(t) for t in level] for level in stored["temporal_mapping"][o]] for o in OPERANDS
    ]
    temporal = [loop for level in by_operand[0] for loop in level]
    spatial: list[tuple[int, int, int]] = []
    for level in stored["spatial_mapping"]["I"]:
        for text in level:
            loop, _ = _loop(text)
            turns = math.prod(c for n, c in temporal if n == loop)
            (axis,) = AXES[name][loop]
            spatial.append((axis, index[loop], math.ceil(nest.sizes[index[loop]] / turns)))
    cuts: list[tuple[int, ...]] = []
    for levels in by_operand:
        counts = [len(level) for level in levels]
        cuts.append(tuple(sum(counts[: i + 1]) for i in range(len(counts) - 1)))
    mapping = Mapping(
        tuple(spatial),
        tuple((index[n], c) for n, c in temporal if n in index),
        LEVELS[name],
        tuple(cuts),
    )
    return Layer(stored["layer"], name, Placed(found, array, nest, mapping), stored)


FLOWS = {
    "rd_out_to_low": "feed",
    "wr_in_by_low": "update",
    "rd_out_to_high": "drain",
    "wr_in_by_high": "fill",
}
NAMES = {"I": "inputs", "W": "weights", "O": "outputs"}


def differing_parts(layer: Layer) -> list[str]:
    """The parts of the energy that are not as stored."""
    placed = layer.placed
    found = {(p.operand, p.memory, p.flow): p.joules * 1e12 for p in parts(placed)}
    odd: list[str] = []
    for operand, held in zip(OPERANDS, placed.mapping.levels, strict=True):
        levels = layer.stored["energy_pj"]["per_level_per_operand"][operand]
        for index, stored in zip(held, levels, strict=True):
            memory = placed.array.levels[index].memory
            for name, picojoules in stored.items():
                ours = found.get((NAMES[operand], memory, FLOWS[name]), 0.0)
                if abs(ours - picojoules) > 1e-9 * max(1.0, picojoules):
                    odd.append(f"{operand} {memory} {name}: {picojoules} pJ, ours {ours}")
    return odd


def same_nests() -> bool:
    """Every part of every layer on its stored nest; the cycles in three pieces."""
    good, exact = 0, 0
    for layer in layers():
        odd, counted = differing_parts(layer), cycles(layer.placed)
        for line in odd:
            print(f"  {layer.name}: {line}")
        good += not odd
        stored = tuple(layer.stored["cycles"].values())
        exact += (counted.loading, counted.computing, counted.unloading) == stored
    count = len(layers())
    print(f"energy of every part exact: {good} of {count} layers; cycles exact: {exact} of {count}")
    return good == exact == count


def mapped_anew() -> bool:
    """Our mappings of the same layers, alike ones once; false where one is worse."""
    good = True
    for name, goal in (("edge-tpu-like", Goal.SECONDS), ("eyeriss-like", Goal.JOULES)):
        known: dict[Nest, Mapped] = {}
        chosen = [layer for layer in layers() if layer.machine == name]
        began = time.process_time()
        for layer in chosen:
            if layer.placed.nest not in known:
                found = search(layer.placed.machine, layer.placed.array, layer.placed.nest, goal)
                assert isinstance(found, Mapped)
                known[layer.placed.nest] = found
        spent = time.process_time() - began
        for layer in chosen:
            ours = known[layer.placed.nest]
            theirs = cycles(layer.placed).total
            energy = layer.stored["energy_pj"]
            theirs_pj = energy["total"] - energy["mac"]
            print(
                f"{name} {layer.name}: {theirs:.0f} cycles, ours {ours.cycles:.0f}; memories"
                f" {theirs_pj * 1e-6:.1f} uJ, ours {ours.memory_joules * 1e6:.1f};"
                f" {ours.certificate.objective} {ours.certificate.text}"
            )
            pair = (ours.cycles, theirs)
            if goal is Goal.JOULES:
                pair = (ours.memory_joules * 1e12, theirs_pj)
            good = good and pair[0] <= pair[1] * (1 + 1e-9)
        print(f"{name}: {len(chosen)} layers, {len(known)} unlike, mapped in {spent:.2f} CPU s")
    return good


def main() -> None:
    """Prints both parts; fails where a figure differs or a layer is worse."""
    same = same_nests()
    sys.exit(not (mapped_anew() and same))


if __name__ == "__main__":
    main()
