"""A GPT of 5.7 million parameters trained by real processes under pipeline schedules.

Qi et al., Zero Bubble Pipeline Parallelism, ICLR 2024, arXiv 2401.10241: splitting backward into
input and weight gradients shortens the bubbles of synchronous training, and changes no result.

    python -m studies.pipelines.train_gpt equal --workers 2      # losses against one process
    python -m studies.pipelines.train_gpt delay --workers 2      # 1F1B against ZB over slow links
    python -m studies.pipelines.train_gpt predict --workers 2    # steps simulated and measured

Known differences: the paper has GPUs and models of 1.5 to 28 billion parameters; here workers are
processes on one host, each with one thread, and the slow link is a delay added to every message.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import netwright as nw
from netwright.graph.zoo import gpt
from netwright.graph.zoo.gpt import GptSizes

TEXT = (Path(__file__).parents[2] / "examples" / "shakespeare.txt").read_bytes()
SCHEDULES = ("gpipe", "1f1b", "1f1b-interleaved", "zb-h1", "zb-h2")
Row = dict[str, object]
TOLERANCE = 1e-5  # relative, of every loss


def network(tokens: int) -> nw.Graph:
    """5.7 million parameters; a micro-batch is two sequences of so many bytes."""
    sizes = GptSizes(256, width=240, layers=8, heads=6, tokens=tokens, batch=2, tied=False)
    return gpt(sizes)


def run(tokens: int, job: nw.Train, machine: str = "raspberry-pi-5"):
    """One training; a machine of the library only gives the plan a title and a price."""
    found = nw.train(network(tokens), nw.machine(machine), job, TEXT)
    assert found is not None
    return found


def equal(workers: int, steps: int, schedules: tuple[str, ...]) -> Iterator[Row]:
    """Losses of every schedule against those of a single process."""
    single = run(32, nw.Train(steps, 4, 1, "gpipe")).losses
    for schedule in schedules:
        losses = run(32, nw.Train(steps, 4, workers, schedule)).losses
        error = max(abs(a - b) / abs(b) for a, b in zip(losses, single, strict=True))
        yield {
            "schedule": schedule,
            "workers": workers,
            "steps": len(losses),
            "first loss": round(losses[0], 6),
            "last loss": round(losses[-1], 6),
            "largest relative difference": error,
            "within": error <= TOLERANCE,
        }


def delay(workers: int, steps: int, seconds: float, turns: int) -> Iterator[Row]:
    """Median step of 1F1B and ZB in interleaved turns, every message so many seconds late."""
    found: dict[str, list[float]] = {}
    for _ in range(turns):
        for schedule in ("1f1b", "zb-h1", "zb-h2"):
            job = nw.Train(steps, 8, workers, schedule, link_delay_seconds=seconds)
            found.setdefault(schedule, []).extend(run(64, job).step_seconds[1:])
    base = median(found["1f1b"])
    for schedule, times in found.items():
        yield {
            "schedule": schedule,
            "workers": workers,
            "link delay (s)": seconds,
            "median step (s)": round(median(times), 4),
            "best step (s)": round(min(times), 4),
            "throughput against 1F1B": round(base / median(times), 3),
            "steps": len(times),
        }


def predict(workers: int, steps: int, seconds: float) -> Iterator[Row]:
    """Odd steps against the simulation with what the even ones measured, from step 2 on.

    `cross`: with the costs that the run of ZB-H1 measured, whatever the schedule. `before`: what
    the plan said before the run, from torch's operators timed one by one.
    """
    costs = None
    errors: list[float] = []
    before: list[float] = []
    for schedule in ("zb-h1", *(s for s in SCHEDULES if s != "zb-h1")):
        job = nw.Train(steps, 8, workers, schedule, link_delay_seconds=seconds)
        found = run(64, job, "here")
        own = found.costs(range(2, steps, 2))
        costs = own if costs is None else costs
        measured = median(found.step_seconds[3::2])
        ratio = found.predict(own).seconds / measured
        errors.append(abs(ratio - 1))
        early = found.plan.prediction("train").seconds / measured
        before.append(abs(early - 1))
        row: Row = {
            "schedule": schedule,
            "workers": workers,
            "processors": found.processors,
            "link delay (s)": seconds,
            "measured (s)": round(measured, 4),
            "predicted / measured": round(ratio, 3),
            "before / measured": round(early, 3),
        }
        if schedule != "1f1b-interleaved":  # it has other chunks
            row["cross / measured"] = round(found.predict(costs).seconds / measured, 3)
        yield row
    yield {
        "schedule": "all",
        "median error": round(median(errors), 3),
        "median error before the run": round(median(before), 3),
    }


def main() -> None:
    """Runs one part and prints its table; ends with an error when a loss differs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("equal", "delay", "predict"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=0.0, help="link delay")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--schedules", default=",".join(SCHEDULES))
    given = parser.parse_args()
    if given.part == "equal":
        rows = equal(given.workers, given.steps, tuple(given.schedules.split(",")))
    elif given.part == "delay":
        rows = delay(given.workers, given.steps, given.seconds, given.turns)
    else:
        rows = predict(given.workers, given.steps, given.seconds)
    failed = False
    for row in rows:
        print(json.dumps(row), flush=True)
        failed = failed or row.get("within") is False
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
