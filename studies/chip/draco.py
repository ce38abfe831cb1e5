"""DRACO: MobileNet changed to suit a 64 x 64 row-stationary array, instead of the array.

Depthwise layers reuse what they read too little. Their filters are widened to groups of g channels,
and all layers are narrowed until the network has about its old number of products. Every network is
mapped by the exact search onto Eyeriss's loops and memories with 64 x 64 elements; utilisation and
seconds are those of the least latency that any mapping has.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace

from netwright import Goal, Infer, Machine, machine, plan
from netwright.graph.analysis import analyse
from netwright.graph.zoo import mobilenet_v1
from netwright.simulate import simulate
from netwright.study import Claim, Finding, Paper, Study, main, near

SIDE, CLOCK = 64, 2.0e8
STEPS = 32  # widths are multiples of 1/32
GROUPS = (2, 4, 8, 16)
PORT = (
    "sums pass the buffer's 64-bit port here, which bounds latency whatever the products; the"
    " paper's change of layers and array are known from the abstract alone"
)
BUSIER = Claim(
    "average utilisation, share more (not points)", "abstract", 0.418, near(0.418, absolute=0.1),
    fails=PORT,
)  # fmt: skip
QUICKER = Claim(
    "latency, share less, at 0.9 to 1.1 times the products", "abstract", 0.426,
    near(0.426, absolute=0.1), fails=PORT,
)  # fmt: skip


def array() -> Machine:
    """The library's Eyeriss with as many elements as the paper's array."""
    chip = machine("eyeriss")
    (unit,) = chip.units
    assert unit.array is not None
    axes = tuple(replace(axis, size=SIDE) for axis in unit.array.axes)
    wide = replace(unit, array=replace(unit.array, axes=axes), rates={"int16": 2 * SIDE**2 * CLOCK})
    return replace(chip, name="eyeriss-64x64", units=(wide,))


def products(group: int, width: float) -> int:
    """Multiply-accumulates of the whole network."""
    return analyse(mobilenet_v1(width=width, seed=None, group_channels=group), {}).macs


def priced(chip: Machine, group: int, width: float) -> tuple[float, float]:
    """Seconds, and the mean utilisation of the layers that multiply."""
    network = mobilenet_v1(width=width, seed=None, group_channels=group)
    program = plan(network, chip, Infer(goal=Goal.SECONDS)).lower()
    spans = [s for s in simulate(program, chip, "forward", {}).spans if s.opcode == "nest"]
    shares = [s.operations / (2 * SIDE**2 * CLOCK * s.seconds) for s in spans]
    return sum(s.seconds for s in spans), statistics.fmean(shares)


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: groups of four channels only."""
    chip, base = array(), products(1, 1.0)
    before, share = priced(chip, 1, 1.0)
    yield f"depthwise: {base / 1e6:.0f} M products, {1e3 * before:.1f} ms, {100 * share:.2f} %"
    found: list[tuple[float, float, int]] = []
    for group in GROUPS if full else (4,):
        widths = [step / STEPS for step in range(STEPS // 2, STEPS + 1)]
        width = min(widths, key=lambda w: abs(products(group, w) - base))
        seconds, busy = priced(chip, group, width)
        found.append((seconds, busy, group))
        ratio = products(group, width) / base
        yield (
            f"groups of {group}, width {width:.3f}: {ratio:.3f} times the products,"
            f" {1e3 * seconds:.1f} ms, {100 * busy:.2f} %"
        )
    seconds, busy, group = min(found)
    note = f"groups of {group}: {100 * (busy - share):.2f} points"
    yield BUSIER.shown(busy / share - 1, note)
    yield QUICKER.shown(1 - seconds / before)


study = Study(
    paper=Paper(
        title="DRACO: Co-Optimizing Hardware Utilization, and Performance of DNNs on Systolic"
        " Accelerator",
        authors="Jha, Ravishankar, Mittal, Kaushik, Mandal, Chandra",
        year=2020,
        venue="ISVLSI",
        link="https://arxiv.org/abs/2006.15103",
    ),
    shows="Utilisation and latency of MobileNet with wider groups, mapped exactly on 64 x 64.",
    scale="Planned and simulated at the paper's size of array and network; nothing is trained.",
    claims=(BUSIER, QUICKER),
    show=show,
    differences=(
        "How DRACO chooses its layers is remembered, not read; one group width for all is taken.",
        "The array is Eyeriss's with 64 x 64 elements and its own buffer and ports.",
        "Latency is that of the convolutions and the classifier; what streams past is left out.",
        "Accuracy is not judged; of utilisation the relative gain is, points are printed.",
        "A claim of ours on arrays without port limits was dropped: its bound was set too late.",
    ),
)

if __name__ == "__main__":
    main(study)
