"""FuseMax: attention as a cascade of einsums in one pass, on a plane and a line of elements.

The passes are counted by the graph's einsum analysis. The one-pass cascade in blocks of 256 keys is
bound to the two arrays of the machine `fusemax`; the cascade's cost gives cycles, attention's tiles
the traffic. Figures beside (`fusemax.csv`): the authors' artifact, which is a model, not hardware.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterator
from pathlib import Path

from netwright import machine
from netwright.cost.attention_stages import attention_stages
from netwright.cost.attention_tiles import HeadShape, HeadTile, TileOrder, forward_moved
from netwright.cost.cascade_arrays import Elements, busy_cycles, staged_cycles
from netwright.graph.op import Einsum, TensorType
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.attention_forms import one_pass, one_pass_blocked, two_pass
from netwright.graph.passes import passes
from netwright.plan.mapping.cascade import kept_elements
from netwright.study import Claim, Finding, Paper, Study, at_least, exactly, main, near

ROWS = Path(__file__).with_name("fusemax.csv")
BATCH, ITEM_BYTES = 64, 2
HEADS = {"BERT": (12, 64), "TrXL": (16, 64), "T5": (8, 64), "XLM": (16, 128)}  # heads, width
CHIP = machine("fusemax")
KIND = Attention(1.0)  # a scale is folded into the exp
PLANE, LINE = (unit.array for unit in CHIP.units if unit.array is not None)
FLAT_CYCLES = {"exp": 1.0, "sub": 0.0, "scale": 0.0}  # FLAT is charged one cycle for an exp
EXP_CYCLES = {"exp": 6.0, "scale": 0.0}  # six multiply-adds; the scale is folded into them

PASSES = tuple(
    Claim(f"passes over the keys, {text}", "section 3", number, exactly(number))
    for text, number in (("as defined", 3), ("divided late", 2), ("a running maximum", 1))
)
GROWS = Claim("three passes: kept at 64 K tokens over 1 K", "section 3", 64, exactly(64))
CONSTANT = Claim("one pass in blocks: kept at 64 K tokens over 1 K", "abstract", 1, exactly(1))
SECONDS = Claim("FuseMax: seconds equal to the artifact's", "attn-binding.csv", 24, exactly(24))
TRAFFIC = Claim("FuseMax: bytes equal to the artifact's", "attn-binding.csv", 24, exactly(24))
FLAT = Claim("FLAT: seconds equal to the artifact's up to 64 K", "attn-flat.csv", 16, exactly(16))
BUSY = Claim("plane at work at 1 M, least of 4", "abstract: nearly 100 %", 1, at_least(0.99))
QUICKER = Claim("times quicker than FLAT, mean of 24", "abstract", 6.7, near(6.7, relative=0.05))
SPILL = "FLAT from 256 K on waits for spilled rows in the artifact: its table is not derived here"
WHOLE = Claim("the same end to end", "abstract", 5.3, near(5.3, relative=0.05), fails=SPILL)


def types(tokens: int, width: int) -> list[TensorType | None]:
    """q, k and v of one head."""
    return [TensorType((tokens, 1, width))] * 3


def in_blocks(tokens: int, width: int) -> tuple[Einsum, ...]:
    """One pass over blocks as long as the plane is wide."""
    given = types(tokens, width)
    return one_pass_blocked(KIND, given, KIND.infer(given)[0], PLANE.axes[0].size)


def defined(tokens: int, width: int) -> tuple[Einsum, ...]:
    """Three passes: the operator's own cascade."""
    given = types(tokens, width)
    return KIND.einsums(given, KIND.infer(given))


def fusemax(heads: int, width: int, tokens: int) -> tuple[float, float, float]:
    """Seconds, bytes and utilisation of the plane."""
    arrays = {"plane": Elements(PLANE.size, EXP_CYCLES), "line": Elements(LINE.size, EXP_CYCLES)}
    bound = attention_stages(in_blocks(tokens, width))
    cycles, busy = staged_cycles(arrays, bound), busy_cycles(arrays, bound)
    side, shape = PLANE.axes[0].size, HeadShape(tokens, tokens, width, width)
    room = CHIP.memories[0].capacity_bytes // ITEM_BYTES - 2 * side * width
    fitting = [
        r for r in range(side, tokens + 1, side) if tokens % r == 0 and r * (2 * width + 2) <= room
    ]
    moved = forward_moved(shape, HeadTile(TileOrder.QUERIES_OUTER, max(fitting), side)).total
    size = BATCH * heads * moved * ITEM_BYTES
    computing = BATCH * heads * cycles / PLANE.clock_hertz
    rate = CHIP.memories[-1].read_bytes_per_second or math.inf
    return max(computing, size / rate), size, busy["plane"] / cycles


def flat(heads: int, width: int, tokens: int) -> float:
    """FLAT: products on the plane, all of softmax on the line; the busier one's seconds."""
    cascade = defined(tokens, width)
    products = [e for e in cascade if e.map == "mul"]
    softmax = [e for e in cascade if e.map != "mul"]
    arrays = {"plane": Elements(PLANE.size, {}), "line": Elements(LINE.size, FLAT_CYCLES)}
    cycles = staged_cycles(arrays, [{"plane": products, "line": softmax}])
    return BATCH * heads * cycles / PLANE.clock_hertz


def same(one: float, other: float) -> bool:
    """Equal but for the rounding of a few operations on floats."""
    return abs(one - other) <= 1e-9 * abs(other)


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: the same; it takes a second."""
    given = types(1024, 64)
    forms = [form(KIND, given, KIND.infer(given)[0]) for form in (two_pass, one_pass)]
    for claim, cascade in zip(PASSES, (defined(1024, 64), *forms), strict=True):
        yield claim.shown(passes(cascade).ranks["s"])
    for claim, form in ((GROWS, defined), (CONSTANT, in_blocks)):
        kept = [kept_elements(form(tokens, 64)) for tokens in (1024, 65536)]
        yield claim.shown(kept[1] / kept[0], f"{kept[0]} and {kept[1]} elements a query")
    with ROWS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    right = [0, 0, 0]
    found: list[tuple[float, float, float]] = []
    for row in rows:
        size, tokens = HEADS[row["model"]], int(row["tokens"])
        seconds, moved, share = fusemax(*size, tokens)
        slow = flat(*size, tokens)
        rest, flat_rest = float(row["rest_seconds"]), float(row["flat_rest_seconds"])
        right[0] += same(seconds, float(row["seconds"]))
        right[1] += same(moved, float(row["traffic_bytes"]))
        right[2] += tokens <= 65536 and same(slow, float(row["flat_seconds"]))
        whole = (slow + flat_rest) / (seconds + rest)
        found.append((slow / seconds, whole, share if tokens == 2**20 else 1.0))
    for claim, number in zip((SECONDS, TRAFFIC, FLAT), right, strict=True):
        yield claim.shown(number)
    quicker, end_to_end, busy = zip(*found, strict=True)
    yield BUSY.shown(min(busy))
    yield QUICKER.shown(statistics.fmean(quicker), f"{min(quicker):.2f} to {max(quicker):.2f}")
    yield WHOLE.shown(statistics.fmean(end_to_end), "the rest of the layer as in the artifact")


study = Study(
    paper=Paper(
        title="FuseMax: Leveraging Extended Einsums to Optimize Attention Accelerator Design",
        authors="Nayak, Wu, Odemuyiwa, Pellauer, Emer, Fletcher",
        year=2024,
        venue="MICRO",
        link="https://arxiv.org/abs/2406.10491",
    ),
    shows="Passes and buffers of three cascades; latency and traffic of the artifact's 24 points.",
    scale="The authors' model at their sizes: four models, 1 K to 1 M tokens; no hardware.",
    claims=(*PASSES, GROWS, CONSTANT, SECONDS, TRAFFIC, FLAT, BUSY, QUICKER, WHOLE),
    show=show,
    differences=(
        "FLAT's spilled rows are not priced: both means are low. The buffer's claim was reworded.",
        "FLAT is charged 1 cycle for an exp and FuseMax 6: against FuseMax. No energy is shown.",
    ),
)

if __name__ == "__main__":
    main(study)
