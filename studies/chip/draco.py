"""DRACO: MobileNet changed to suit a 64 x 64 row-stationary array, instead of the array.

Depthwise layers reuse too little: their filters are widened to groups of g channels, each layer's g
chosen so that all row-stationary sets take the fewest cycles, at most 1.1 times the products. What
is claimed is of the sets alone; Eyeriss's memories and ports make them wait, which is printed.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from netwright import Goal, Infer, Machine, machine, plan
from netwright.cost.nest import Nest
from netwright.graph.graph import Graph
from netwright.graph.zoo import mobilenet_v1
from netwright.machine.array import SpatialArray
from netwright.plan.assign import Option, assign
from netwright.plan.mapping.row_spread import row_spread
from netwright.plan.mapping.steps import steps_of
from netwright.simulate import simulate
from netwright.study import Claim, Finding, Paper, Study, main, near

SIDE, CLOCK = 64, 2.0e8
GROUPS, LAYERS = (1, 2, 4, 8, 16, 32), 13  # channels of a group, depthwise layers
MOST_PRODUCTS, STEPS = 1.1, 32  # widths are multiples of 1/32
READ = "one reading of the abstract (below), in which nothing is trained"
BUSIER, QUICKER = (
    Claim(text, "abstract", figure, near(figure, absolute=0.1), smaller=READ)
    for text, figure in (
        ("average spatial utilisation, share more (not points)", 0.418),
        ("latency in cycles, share less, at 0.9 to 1.1 times the products", 0.426),
    )
)


@dataclass(frozen=True, slots=True)
class Spread:
    """A network on the array: cycles; share of elements at work, mean over layers and over time."""

    cycles: int
    layers: float
    time: float

    def __str__(self) -> str:
        return f"{self.cycles:,} cycles, {self.layers:.1%} at work, {self.time:.1%} over time"


def array() -> SpatialArray:
    """Eyeriss's with as many elements as the paper's."""
    (unit,) = machine("eyeriss").units
    assert unit.array is not None
    return replace(unit.array, axes=tuple(replace(axis, size=SIDE) for axis in unit.array.axes))


def chip() -> Machine:
    """The library's Eyeriss, its memories and ports, with that array."""
    rates = {"int16": 2 * SIDE**2 * CLOCK}
    wide = replace(machine("eyeriss").units[0], array=array(), rates=rates)
    return replace(machine("eyeriss"), name="eyeriss-64x64", units=(wide,))


def network(groups: Sequence[int] = (1,) * LAYERS, width: float = 1.0) -> Graph:
    """Without weights' data."""
    return mobilenet_v1(width=width, seed=None, group_channels=groups)


def nests(graph: Graph) -> dict[str, Nest]:
    """Products of every layer that multiplies."""
    return {s.source: s.nest for s in steps_of(graph, lambda _: None).steps if s.nest is not None}


def products(graph: Graph) -> int:
    """Multiply-accumulates of the whole network."""
    return sum(nest.macs for nest in nests(graph).values())


def spread(graph: Graph, aside: bool) -> Spread:
    """All layers, one after the other."""
    each = [row_spread(nest, array(), aside) for nest in nests(graph).values()]
    cycles = sum(one.cycles for one in each)
    over_time = sum(one.elements * one.cycles for one in each) / (SIDE**2 * cycles)
    return Spread(cycles, statistics.fmean(one.elements for one in each) / SIDE**2, over_time)


def chosen(aside: bool) -> list[int]:
    """Channels of a group for every depthwise layer: the fewest cycles, proved."""
    uniform = [nests(network([group] * LAYERS)) for group in GROUPS]
    items: list[list[Option]] = []
    for name in (f"depth{layer}_conv" for layer in range(LAYERS)):
        each = [nest[name] for nest in uniform]
        items.append([Option(row_spread(n, array(), aside).cycles, (n.macs,)) for n in each])
    others = products(network()) - sum(options[0].demands[0] for options in items)
    found = assign(items, [MOST_PRODUCTS * products(network()) - others])
    assert found is not None and found.certificate.proved
    return [GROUPS[option] for option in found.chosen]


def with_ports(graph: Graph) -> str:
    """With Eyeriss's memories and ports: the least latency of any mapping."""
    program = plan(graph, chip(), Infer(goal=Goal.SECONDS)).lower()
    spans = [s for s in simulate(program, chip(), "forward", {}).spans if s.opcode == "nest"]
    shares = [s.operations / (2 * SIDE**2 * CLOCK * s.seconds) for s in spans]
    return f"{1e3 * sum(s.seconds for s in spans):.2f} ms, {statistics.fmean(shares):.2%} of peak"


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: groups in turns only, no ports."""
    base, groups, before = products(network()), chosen(False), spread(network(), False)
    own, after = network(groups), spread(network(groups), False)
    yield f"groups in turns, depthwise: {before}; of {groups} channels: {after}"
    more = after.layers / before.layers - 1
    yield BUSIER.shown(more, f"{100 * more * before.layers:.1f} points")
    yield QUICKER.shown(1 - after.cycles / before.cycles, f"{products(own) / base:.4f} times")
    if not full:
        return
    yield f"side by side, depthwise: {spread(network(), True)}; {groups}: {spread(own, True)}"
    yield f"side by side, of fewest cycles: {chosen(True)}"
    yield f"with ports, depthwise: {with_ports(network())}; {groups}: {with_ports(own)}"
    for group in GROUPS[1:5]:
        wide = [network([group] * LAYERS, step / STEPS) for step in range(STEPS // 2, STEPS + 1)]
        one = min(wide, key=lambda graph: abs(products(graph) - base))
        yield f"with ports, all {group}, narrowed to {products(one) / base:.3f}: {with_ports(one)}"


study = Study(
    paper=Paper(
        title="DRACO: Co-Optimizing Hardware Utilization, and Performance of DNNs on Systolic"
        " Accelerator",
        authors="Jha, Ravishankar, Mittal, Kaushik, Mandal, Chandra",
        year=2020,
        venue="ISVLSI",
        link="https://arxiv.org/abs/2006.15103",
    ),
    shows="Elements at work and cycles of MobileNet with wider groups, row-stationary on 64 x 64.",
    scale="Planned at the paper's size of array and network; nothing is trained.",
    claims=(BUSIER, QUICKER),
    show=show,
    differences=(
        "The abstract fixes network, array and sets; not what its average weighs, whether latency"
        " waits for memory, how layers change, or whether groups share the array.",
        "Read here: groups in turns, since side by side 98 % are at work and nothing is to gain;"
        " mean over layers (over time it gains more); no ports (first form: 9.8 %, 1.4 % gained).",
        "Nothing is narrowed; how DRACO chooses is remembered, not read. Accuracy is not judged.",
    ),
)

if __name__ == "__main__":
    main(study)
