"""SCALE-Sim: cycles of systolic arrays by three closed forms, to the cycle.

SCALE-Sim 3.0.0 builds the demand of every cycle (up to 169 CPU seconds and 4.2 GB a run). Its 31
runs beside this file are layers of AlexNet and ResNet-18 and two single ones, on 256 x 256 and
12 x 14 multipliers, with weights, inputs or outputs that stay.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from netwright.cost.systolic import Product, systolic_cycles
from netwright.study import Claim, Finding, Paper, Study, exactly, main

RUNS = Path(__file__).with_name("scalesim.csv")
CYCLES = Claim(
    "31 layers, weights, inputs or outputs that stay: cycles as simulated",
    "output of SCALE-Sim 3.0.0",
    31,
    exactly(31),
)


def show(full: bool) -> Iterator[Finding | str]:
    """Every run; the reduced form is the same."""
    with RUNS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    equal = 0
    for row in rows:
        product = Product(int(row["m"]), int(row["k"]), int(row["n"]))
        array = int(row["array_rows"]), int(row["array_columns"])
        ours = systolic_cycles(product, *array, row["dataflow"]) - 1
        equal += ours == int(row["printed_cycles"])
        yield (
            f"{row['layer']} on {array[0]} x {array[1]}, {row['dataflow']} stay:"
            f" {row['printed_cycles']}, ours {ours}"
        )
    yield CYCLES.shown(equal, f"{equal} of {len(rows)}")


study = Study(
    paper=Paper(
        title="A Systematic Methodology for Characterizing Scalability of DNN Accelerators"
        " using SCALE-Sim",
        authors="Samajdar, Joseph, Zhu, Whatmough, Mattina, Krishna",
        year=2020,
        venue="ISPASS",
        link="https://doi.org/10.1109/ISPASS48437.2020.00016",
    ),
    shows="Cycles of every run of the simulator, by a closed form for what stays in the array.",
    scale="All 31 stored runs at their own sizes.",
    claims=(CYCLES,),
    show=show,
    differences=("SCALE-Sim prints the number of its last cycle, one less than their count.",),
)

if __name__ == "__main__":
    main(study)
