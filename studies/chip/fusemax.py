"""FuseMax: attention as a cascade of einsums in one pass, on a plane and a line of elements.

The passes are counted by the graph's einsum analysis. The one-pass cascade in blocks of 256 keys is
bound to the two arrays of the machine `fusemax`; the cascade's cost gives cycles, attention's tiles
the traffic. Figures beside (`fusemax.csv`): the authors' artifact, which is a model, not hardware.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator
from math import inf, isclose
from pathlib import Path

from netwright import machine
from netwright.cost.attention_rows import RowTile, rows_moved
from netwright.cost.attention_stages import attention_stages, row_stages
from netwright.cost.attention_tiles import HeadShape, forward_moved
from netwright.cost.cascade_arrays import Elements, busy_cycles, staged_cycles
from netwright.graph.op import Einsum, TensorType
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.attention_forms import one_pass, one_pass_blocked, two_pass
from netwright.graph.passes import passes
from netwright.plan.attention_row_tiling import RowStep, one_pass_tile, tile_attention_rows
from netwright.plan.mapping.cascade import kept_elements
from netwright.study import Claim, Finding, Paper, Study, at_least, exactly, main, near

ROWS = Path(__file__).with_name("fusemax.csv")
# FLAT's buffer is twice FuseMax's, whose elements are larger.
ITEM_BYTES, FLAT_BYTES, SHORT = 2, 2**25, 65536
SPILLED = RowTile(1024, 0, 256)  # from 256 K on (flat_validation.csv: P1, QK_loc)
HEADS = {"BERT": 768, "TrXL": 1024, "T5": 512, "XLM": 1024}  # of a batch of 64
CHIP = machine("fusemax")
KIND = Attention(1.0)  # a scale is folded into the exp
RATE = CHIP.memories[-1].read_bytes_per_second or inf
PLANE, LINE = (unit.array for unit in CHIP.units if unit.array is not None)
STEP = RowStep(PLANE.axes[0].size, PLANE.axes[0].size)
FLAT_CYCLES = {"exp": 1.0, "sub": 0.0, "scale": 0.0}  # FLAT is charged one cycle for an exp
EXP_CYCLES = {"exp": 6.0, "scale": 0.0}  # six multiply-adds; the scale is folded into them

COUNTS = (("as defined", 3), ("divided late", 2), ("a running maximum", 1))
PASSES = tuple(Claim(f"passes over the keys, {t}", "section 3", n, exactly(n)) for t, n in COUNTS)
GROWS = Claim("three passes: kept at 64 K tokens over 1 K", "section 3", 64, exactly(64))
CONSTANT = Claim("one pass in blocks: kept at 64 K tokens over 1 K", "abstract", 1, exactly(1))
BUSY = Claim("plane at work at 1 M, least of 4", "abstract: nearly 100 %", 1, at_least(0.99))
EQUAL = tuple(
    Claim(text, f"attn-{table}.csv", number, exactly(number))
    for text, table, number in (
        ("FuseMax: seconds equal to the artifact's", "binding", 24),
        ("FuseMax: bytes equal to the artifact's", "binding", 24),
        ("FLAT: seconds equal to the artifact's up to 64 K", "flat", 16),
        ("FLAT: seconds from 256 K on within 1 %, with the artifact's tile", "flat", 8),
    )
)
MEANS = tuple(
    Claim(f"times quicker than FLAT{tile}{part}", "abstract", times, near(times, relative=0.05))
    for tile in ("", " that keeps the rows our plan keeps")
    for part, times in ((", mean of 24", 6.7), (", end to end", 5.3))
)


def given(tokens: int, width: int) -> tuple[list[TensorType | None], TensorType]:
    """q, k and v of one head, and the result, which is as q."""
    return [TensorType((tokens, 1, width))] * 3, TensorType((tokens, 1, width))


def in_blocks(tokens: int, width: int) -> tuple[Einsum, ...]:
    """One pass over blocks as long as the plane is wide."""
    return one_pass_blocked(KIND, *given(tokens, width), STEP.columns)


def defined(tokens: int, width: int) -> tuple[Einsum, ...]:
    """Three passes: the operator's own cascade."""
    inputs, result = given(tokens, width)
    return KIND.einsums(inputs, [result])


def fusemax(heads: int, width: int, tokens: int) -> tuple[float, float, float]:
    """Seconds, bytes and utilisation of the plane."""
    arrays = {"plane": Elements(PLANE.size, EXP_CYCLES), "line": Elements(LINE.size, EXP_CYCLES)}
    bound = attention_stages(in_blocks(tokens, width))
    cycles, busy = staged_cycles(arrays, bound), busy_cycles(arrays, bound)
    shape = HeadShape(tokens, tokens, width, width)
    tile = one_pass_tile(shape, CHIP.memories[0].capacity_bytes // ITEM_BYTES, STEP)
    size = heads * forward_moved(shape, tile).total * ITEM_BYTES
    return max(heads * cycles / PLANE.clock_hertz, size / RATE), size, busy["plane"] / cycles


def flat(heads: int, width: int, tokens: int) -> tuple[float, float, RowTile]:
    """FLAT's seconds with the artifact's tile and with ours, and ours."""
    arrays = {"plane": Elements(PLANE.size, {}), "line": Elements(LINE.size, FLAT_CYCLES)}
    computing = staged_cycles(arrays, row_stages(defined(tokens, width))) / PLANE.clock_hertz
    shape = HeadShape(tokens, tokens, width, width)
    best = tile_attention_rows(shape, FLAT_BYTES // ITEM_BYTES, STEP)
    theirs = rows_moved(shape, SPILLED) if tokens > SHORT else best.moved
    slow, quick = (max(computing, ITEM_BYTES * m.total / RATE) for m in (theirs, best.moved))
    return heads * slow, heads * quick, best.tile


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: the same; it takes a second."""
    forms = (form(KIND, *given(1024, 64)) for form in (two_pass, one_pass))
    for claim, cascade in zip(PASSES, (defined(1024, 64), *forms), strict=True):
        yield claim.shown(passes(cascade).ranks["s"])
    for claim, form in ((GROWS, defined), (CONSTANT, in_blocks)):
        kept = [kept_elements(form(tokens, 64)) for tokens in (1024, 65536)]
        yield claim.shown(kept[1] / kept[0], f"{kept[0]} and {kept[1]} elements a query")
    right, found, busy = [0, 0, 0, 0], list[tuple[float, ...]](), 1.0
    for row in csv.DictReader(ROWS.read_text(encoding="utf-8").splitlines()):
        tokens, published = int(row["tokens"]), float(row["flat_seconds"])
        size = HEADS[row["model"]], 128 if row["model"] == "XLM" else 64, tokens
        (seconds, moved, share), (slow, best, tile) = fusemax(*size), flat(*size)
        right[0] += isclose(seconds, float(row["seconds"]))
        right[1] += isclose(moved, float(row["traffic_bytes"]))
        right[2] += tokens <= SHORT and isclose(slow, published)
        right[3] += tokens > SHORT and isclose(slow, published, rel_tol=0.01)
        if tokens > SHORT:
            yield f"{published:.2f} s, {slow:.2f} s; {tile.kept} of {tile.rows} kept: {best:.2f} s"
        whole, rest = seconds + float(row["rest_seconds"]), float(row["flat_rest_seconds"])
        pairs = [(each / seconds, (each + rest) / whole) for each in (slow, best)]
        found.append(pairs[0] + pairs[1])
        busy = min(busy, share if tokens == 2**20 else 1.0)
    for claim, number in zip((*EQUAL, BUSY), (*right, busy), strict=True):
        yield claim.shown(number)
    for claim, each in zip(MEANS, zip(*found, strict=True), strict=True):
        yield claim.shown(statistics.fmean(each), f"{min(each):.2f} to {max(each):.2f}")


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
    claims=(*PASSES, GROWS, CONSTANT, *EQUAL, BUSY, *MEANS),
    show=show,
    differences=(
        "FLAT's tile from 256 K on is its authors' search's: 1,024 queries at most, softmax's own"
        " traffic not counted. Ours is the least of any: 3 to 14 % fewer seconds there.",
        "FLAT is charged 1 cycle for an exp and FuseMax 6: against FuseMax. No energy is shown.",
    ),
)

if __name__ == "__main__":
    main(study)
