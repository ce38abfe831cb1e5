"""SCALE-Sim 3.0.0 (Samajdar et al., ISPASS 2020): cycles of systolic arrays, to the cycle.

Claim (its output, stored; up to 169 CPU seconds and 4.2 GB a run): 31 layers on 256 x 256 and
12 x 14 multipliers with weights, inputs or outputs that stay. Here three closed forms give them.

Known differences. SCALE-Sim prints the number of the last cycle, one less than their count.

    python -m studies.spatial.scalesim
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from netwright.cost.systolic import Product, systolic_cycles

RUNS = Path(__file__).with_name("scalesim.csv")


def main() -> None:
    """Prints every row; fails where one differs."""
    with RUNS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    equal = 0
    for row in rows:
        product = Product(int(row["m"]), int(row["k"]), int(row["n"]))
        array = int(row["array_rows"]), int(row["array_columns"])
        ours = systolic_cycles(product, *array, row["dataflow"]) - 1
        equal += ours == int(row["printed_cycles"])
        print(
            f"{row['layer']} on {array[0]} x {array[1]}, {row['dataflow']} stay:"
            f" {row['printed_cycles']}, ours {ours}"
        )
    print(f"{equal} of {len(rows)} equal")
    sys.exit(equal != len(rows))


if __name__ == "__main__":
    main()
