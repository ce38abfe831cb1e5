"""Systolic arrays against SCALE-Sim's cycles."""

import csv
from pathlib import Path

import pytest

from netwright.cost.nest import nest_of
from netwright.cost.systolic import Product, product_of, systolic_cycles
from netwright.graph.op import TensorType
from netwright.graph.ops.conv import Conv

RUNS = Path(__file__).parents[2] / "studies" / "chip" / "scalesim.csv"
ROWS = list(csv.DictReader(RUNS.read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['dataflow']} {row['layer']}")
def test_to_the_cycle(row: dict[str, str]) -> None:
    """SCALE-Sim 3.0.0, 31 runs; it prints the number of its last cycle."""
    product = Product(int(row["m"]), int(row["k"]), int(row["n"]))
    rows, columns = int(row["array_rows"]), int(row["array_columns"])
    ours = systolic_cycles(product, rows, columns, row["dataflow"])
    assert ours == int(row["printed_cycles"]) + 1


def test_a_convolution_is_a_product_of_its_windows() -> None:
    kind = Conv((1, 1), ((1, 1), (1, 1)), (1, 1), groups=2)
    types = [TensorType((1, 8, 13, 13)), TensorType((6, 4, 3, 3))]
    outputs = kind.infer(types)
    nest = nest_of(kind.einsums(types, outputs)[0], [t.shape for t in (*types, *outputs)])
    assert nest is not None
    assert product_of(nest) == Product(169, 36, 3, 2)
