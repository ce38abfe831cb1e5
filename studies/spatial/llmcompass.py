"""LLMCompass (Zhang et al., ISCA 2024): matrix products on A100 and MI210 as they were timed.

Claim (its artifact's measurements, ae/figure5/ab): 42 products, one call of PyTorch at a time, each
waited for; its own model is 10.4 % off in the mean over operators. Here the cost model `tiles` of
the library's machines prices them. The two files beside this one add what is the setup's: the
start of a call, as the authors measured it on a product of size 1, and for MI210 the bandwidth that
their GELU sweep held. No constant is taken from the 42 rows.

Not blind: the rows were on screen before the model was written, and so were its sources. Both
machines' sustained rate comes from the one public table that has both chips (the best of many
shapes, in bf16 as here: the authors' script says bf16 where their text says fp16), by turning the
model round at that table's shape. The model was run twice on the judged rows. The first version
hid the writing of results behind the arithmetic: A100 8.6 %, MI210 11.7 %, all 10.2 %. The second,
which does not, was kept because it is better on the second table below (mean 12.6 to 11.6 % in
logarithms, deviation 11.0 to 10.5 %), but the first result was known when it was tried. Tiles from
NVIDIA's list, or large ones first, were tried on that table too: worse, and not kept. The end of
what is printed says what other public figures would have given.

Known differences. MI210 holds 117 to 121 TFLOPS in whole products, two thirds of its peak, where
one die of MI250X held 147 (newer libraries): its large products are predicted 8 to 16 % short, and
small errors elsewhere make up the mean. Vidur's A100 is 10 to 15 % slower than this one on large
products: so far GPUs of one name differ by clock, power and library, which no model of tiles can
know. Products of 8192 rows and at most 512 columns are 18 to 27 % short on A100: they take 8 us
and more beyond the start of a call, whatever their size, which is not explained here.

    python -m studies.spatial.llmcompass
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import mean, quantiles

from netwright.cost.cost import COLD, Setting
from netwright.cost.estimate import estimate
from netwright.cost.formulas import work
from netwright.cost.roofline import roofline
from netwright.cost.tiles import best_tiling
from netwright.cost.work import Shape, Work
from netwright.machine.load import load_file, machine
from netwright.machine.machine import Machine

HERE = Path(__file__).parent
ROWS = HERE / "llmcompass.csv"
TARGET = 0.10
Row = Mapping[str, str]


@cache
def setup(gpu: str) -> Machine:
    """The machine as the authors used it."""
    return load_file(HERE / f"llmcompass_{gpu}.yaml")


def product(row: Row) -> Work:
    """The product in bf16: [rows, inner] by [columns, inner]."""
    rows, inner, columns = (int(row[name]) for name in ("rows", "inner", "columns"))
    shapes = ((rows, columns), (rows, inner), (columns, inner))
    return work("matmul_dense", [Shape("bf16", shape) for shape in shapes], (), {})


def again(demand: Work) -> Setting:
    """The same product over and over: between two uses of a factor lies what it touches."""
    return Setting(1, demand.working_set_bytes, demand.working_set_bytes)


def off(found: Machine, row: Row, setting: Setting | None = None) -> float:
    """Relative error of the predicted seconds."""
    demand = product(row)
    taken = estimate(found, found.units[0], demand, setting or again(demand))
    return taken.seconds / (float(row["milliseconds"]) * 1e-3) - 1


def with_shares(found: Machine, sustained: float, memory_share: float) -> Machine:
    """The same with other shares of its peaks."""
    (unit,) = found.units
    assert unit.tiles is not None
    other = replace(unit.tiles, sustained=sustained, memory_share=memory_share)
    return replace(found, units=(replace(unit, tiles=other),))


def judged() -> float:
    """Prints every product; returns the mean error of all."""
    every: list[float] = []
    for gpu in ("a100", "mi210"):
        found, errors, rooflines = setup(gpu), list[float](), list[float]()
        unit = found.units[0]
        for row in (r for r in read() if r["table"] == "llmcompass" and r["gpu"] == gpu):
            demand = product(row)
            tiling = best_tiling(found, unit, demand, again(demand))
            errors.append(off(found, row))
            measured = float(row["milliseconds"])
            plain = roofline(found, unit, demand, again(demand)).seconds
            rooflines.append(plain / measured * 1e3 - 1)
            size = f"{row['rows']} x {row['inner']} x {row['columns']}"
            print(
                f"{gpu} {size}: measured {measured:.4f} ms,"
                f" ours {(errors[-1] + 1) * measured:.4f} ({errors[-1]:+.1%});"
                f" {tiling.tiles} tiles of {tiling.rows} x {tiling.columns}, waves {tiling.waves},"
                f" limit: {tiling.limit}"
            )
        print(
            f"{gpu}: mean error {absolute(errors):.1%}, bias {mean(errors):+.1%};"
            f" as a roofline {absolute(rooflines):.1%}"
        )
        every += errors
    return absolute(every)


def others() -> None:
    """Prints the second table, and what other public figures would have given."""
    a100, mi210 = machine("a100-sxm-80"), setup("mi210")
    vidur = [off(a100, row, COLD) for row in read() if row["table"] == "vidur"]
    ninth = quantiles(map(abs, vidur), n=10)[-1]
    print(
        f"not judged, A100: {len(vidur)} products of Vidur's Llama-2 profile (MLSys 2024):"
        f" mean error {absolute(vidur):.1%}, bias {mean(vidur):+.1%},"
        f" nine in ten within {ninth:.1%}"
    )
    die = held(machine("mi210"), 110, 191.5e12, (1024, 19968, 14080))
    best = held(a100, 108, 312e12, (1024, 5120, 10240))
    print(
        "where the sustained rates are from (Maximum Achievable Matmul FLOPS): A100 271.2 TFLOPS,"
        f" ours {best / 1e12:.1f}; a die of MI250X 147.0, ours {die / 1e12:.1f}"
    )
    rows = [r for r in read() if r["table"] == "llmcompass" and r["gpu"] == "mi210"]
    for name, sustained, share in (
        ("matrix units alone, 160.5 of 181 TFLOPS (ROCm pull request 5162)", 0.887, 0.379),
        ("memory as Omniperf measured it, 1388 GB/s", 0.772, 0.847),
        ("the datasheet's peaks", 1.0, 1.0),
    ):
        errors = [off(with_shares(mi210, sustained, share), row) for row in rows]
        print(f"MI210 with {name}: mean error {absolute(errors):.1%}")


def held(found: Machine, cores: int, rate: float, shape: tuple[int, int, int]) -> float:
    """Operations per second at a shape (rows, inner, columns), with so many cores."""
    (unit,) = found.units
    assert unit.tiles is not None
    unit = replace(unit, tiles=replace(unit.tiles, cores=cores), rates=(("bf16", rate),))
    rows, inner, columns = map(str, shape)
    demand = product({"rows": rows, "inner": inner, "columns": columns})
    tiling = best_tiling(replace(found, units=(unit,)), unit, demand, COLD)
    return demand.num_operations / tiling.seconds


def absolute(errors: list[float]) -> float:
    """Mean of the absolute values."""
    return mean(map(abs, errors))


@cache
def read() -> tuple[Row, ...]:
    """All rows of both tables."""
    with ROWS.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def main() -> None:
    """Prints both tables; fails where the judged one is off by 10 % in the mean."""
    error = judged()
    others()
    print(f"all 42 products: mean error {error:.1%}")
    sys.exit(error > TARGET)


if __name__ == "__main__":
    main()
