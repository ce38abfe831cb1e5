"""Two threads against one, the second processor idle or taken: python -m benchmarks.two_threads.

SmolLM2 as shipped, wall time, one and two threads in turn. Taken means that a loop is pinned to the
second processor, as a neighbour or another program takes it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from statistics import median

from benchmarks.llm import CASES, planned
from benchmarks.tables import machine_line, show

from netwright.program.file import open_program
from netwright.run.decoder import NativeDecoder
from netwright.run.native import NativeRuntime

PROMPT, TOKENS, TURNS, CLAIMED = 128, 48, 12, 0.9
TAKE = "import os\nos.sched_setaffinity(0, {1})\nwhile True: pass"


@contextmanager
def second_processor(taken: bool) -> Generator[None]:
    """Taken by a loop meanwhile, or left alone."""
    if not taken:
        yield
        return
    loop = subprocess.Popen([sys.executable, "-c", TAKE])
    time.sleep(0.2)
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


def turn(decoder: NativeDecoder, ids: list[int], following: list[int]) -> tuple[float, float]:
    """Wall seconds of a prompt and of a generation after it."""
    decoder.reset()
    begun = time.perf_counter()
    decoder.prefill(ids)
    between = time.perf_counter()
    for token in following:
        decoder.decode(token)
    return between - begun, time.perf_counter() - between


def main() -> None:
    """Prints one row for each round."""
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("two processors are needed")
    case = CASES[0]
    path, request = case.file().resolve(), case.request()
    ids, following = request["prompt"][:PROMPT], request["tokens"][:TOKENS]
    decoders = {
        n: NativeDecoder(NativeRuntime(open_program(planned(path, case, n)), n), 1 << 30)
        for n in (1, 2)
    }
    for decoder in decoders.values():
        turn(decoder, ids, following)
    print(machine_line())
    rows: list[list[str]] = []
    for taken in (False, True, False, True):
        with second_processor(taken):
            turns = [
                {n: turn(d, ids, following) for n, d in decoders.items()} for _ in range(TURNS)
            ]
        cells: list[str] = []
        for part in (0, 1):
            one, two = ([t[n][part] for t in turns] for n in (1, 2))
            cells.append(f"{median(one) / median(two):.2f} ({min(one) / min(two):.2f})")
        rows.append(["taken" if taken else "idle", *cells])
    columns = ["second processor", "prompt, two / one: medians (bests)", "generation"]
    show(f"claimed >= {CLAIMED}", columns, rows)
    alone = NativeDecoder(NativeRuntime(open_program(planned(path, case, 2)), 1), 1 << 30)
    turn(alone, ids, following)
    pairs = [(turn(decoders[1], ids, following), turn(alone, ids, following)) for _ in range(TURNS)]
    cost = [median(b[part] / a[part] for a, b in pairs) for part in (0, 1)]
    print(
        f"the plan for two on one thread takes {cost[0]:.2f} (prompt) and {cost[1]:.2f} times "
        "(generation) as long as the plan for one: medians of turns side by side"
    )


if __name__ == "__main__":
    main()
