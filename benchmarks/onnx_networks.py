"""Networks of arrays beside ONNX Runtime and OpenVINO: python -m benchmarks.onnx_networks.

CPU milliseconds of one pass, one thread, one process a library, repeats in turn (A B C A B C); and
the largest difference of the outputs, relative to the largest output.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from benchmarks.array_cases import CASES, ArrayCase, case_inputs
from benchmarks.tables import machine_line, show, verdict
from benchmarks.workers.protocol import OURS, PEERS, Worker, WorkerError
from numpy.typing import NDArray

from netwright.errors import NetwrightError

FOLDER = Path("build/bench")
LIBRARIES = ("netwright", "onnxruntime", "openvino")
CLAIMED_RATIO = 0.9
CLAIMED_DIFFERENCE = 1e-3
BATCH_SECONDS = 0.15  # small networks are called more often in a turn


def outputs(path: Path) -> list[NDArray[Any]]:
    """The outputs that a worker wrote, in order."""
    with np.load(path) as archive:
        return [np.asarray(archive[name], np.float64) for name in sorted(archive.files)]


def difference(ours: list[NDArray[Any]], theirs: list[NDArray[Any]]) -> float:
    """The largest over the outputs that both have: max |a - b| / max |b|."""
    found = 0.0
    for a, b in zip(ours, theirs, strict=False):
        if a.size != b.size:
            return float("nan")
        scale = float(np.abs(b).max()) or 1.0
        found = max(found, float(np.abs(a.reshape(b.shape) - b).max()) / scale)
    return found


def measure(case: ArrayCase, repeats: int) -> dict[str, Any]:
    """Library → median and best milliseconds; and the differences from ours."""
    prepared = case.prepare()
    folder = FOLDER / "arrays"
    folder.mkdir(parents=True, exist_ok=True)
    inputs = folder / f"{case.source}-inputs.npz"
    np.savez(inputs, **case_inputs(prepared))  # pyright: ignore[reportArgumentType]
    started: dict[str, Worker] = {}
    times: dict[str, list[float]] = {}
    wrote = {name: folder / f"{case.source}-{name}.npz" for name in LIBRARIES}
    try:
        for name in LIBRARIES:
            ours = name == "netwright"
            file = prepared.file.path if ours else case.onnx
            arguments = [str(file), str(inputs.resolve()), str(wrote[name].resolve())]
            try:
                started[name] = Worker(
                    OURS if ours else PEERS, "benchmarks.workers.arrays", name, arguments
                )
            except WorkerError as error:
                print(f"  {name} is left out of {case.name}: {error}", flush=True)
        calls = {}
        for name, worker in started.items():
            once = min(worker.ask({"calls": 3})["seconds"])
            calls[name] = max(1, min(200, int(BATCH_SECONDS / once)))
            times[name] = []
        for _ in range(repeats):
            for name, worker in started.items():
                times[name] += worker.ask({"calls": calls[name]})["seconds"]
    finally:
        for worker in started.values():
            worker.close()
    found: dict[str, Any] = {
        name: {"median_ms": 1e3 * median(t), "best_ms": 1e3 * min(t)} for name, t in times.items()
    }
    mine = outputs(wrote["netwright"])
    differences = {n: difference(mine, outputs(wrote[n])) for n in times if n != "netwright"}
    return {"case": case.name, "times": found, "differences": differences}


def row(found: dict[str, Any]) -> list[str]:
    """A row of the table: times, ratio to the better peer by medians and by bests, difference."""
    times = found["times"]
    cells = [found["case"]]
    for name in LIBRARIES:
        at = times.get(name)
        cells.append(f"{at['median_ms']:.3g} ({at['best_ms']:.3g})" if at else "-")
    ratios: list[float] = []
    for key in ("median_ms", "best_ms"):
        peers = [times[n][key] for n in times if n != "netwright"]
        if peers:
            ratios.append(min(peers) / times["netwright"][key])
    worst = max(found["differences"].values(), default=float("nan"))
    right = "" if worst <= CLAIMED_DIFFERENCE else " too far"
    shown = " ".join(f"{r:.2f}" for r in ratios) or "-"
    return [
        *cells,
        shown,
        verdict(ratios[0] if ratios else None, CLAIMED_RATIO),
        f"{worst:.1e}{right}" if ratios else "-",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    given = parser.parse_args()
    print(machine_line())
    rows: list[list[str]] = []
    kept: list[dict[str, Any]] = []
    for case in CASES:
        if given.only not in case.name:
            continue
        try:
            found = measure(case, given.repeats)
        except (NetwrightError, WorkerError) as error:
            print(f"  {case.name} is left out: {error}", flush=True)
            continue
        kept.append(found)
        rows.append(row(found))
        print("  " + "  ".join(rows[-1]), flush=True)
    head = [
        "CPU ms, median (best)",
        *LIBRARIES,
        "better peer / ours: medians, bests",
        f"claimed >= {CLAIMED_RATIO}",
        "largest difference (claimed <= 1e-3)",
    ]
    show("networks of arrays, one thread", head, rows)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "onnx_networks.json").write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
