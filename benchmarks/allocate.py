"""CPU seconds to solve MiniMalloc's public cases: `python -m benchmarks.allocate`.

MiniMalloc itself (commit 9f5cf81, g++ -O3) needed 48.2 CPU-seconds for the eleven on a machine of
the same kind.
"""

import csv
import time
from pathlib import Path

from netwright.plan.allocate import Block, find_overlap, fit_blocks


def main() -> None:
    total_seconds = 0.0
    for path in sorted((Path(__file__).parent / "minimalloc").glob("*.csv")):
        with path.open() as file:
            blocks = tuple(
                Block(int(row["size"]), int(row["lower"]), int(row["upper"]))
                for row in csv.DictReader(file)
            )
        began = time.process_time()
        fit = fit_blocks(blocks, int(path.name.split(".")[1]), nodes=10**9)
        seconds = time.process_time() - began
        total_seconds += seconds
        sound = bool(fit.offsets) and find_overlap(blocks, fit.offsets) is None
        print(
            f"{path.name[0]}  {len(blocks):3} buffers  {fit.nodes:7} nodes  {seconds:.3f} s"
            f"  {fit.outcome.name.lower()}, {'no overlap' if sound else 'WRONG'}"
        )
    print(f"total {total_seconds:.2f} CPU-seconds")


if __name__ == "__main__":
    main()
