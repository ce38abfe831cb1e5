"""Predicted against measured time and memory: python -m benchmarks.truth.

Every pair is a network at a setting that the probe has no point for: the probe times kernels, never
a network. Each pair has a process of its own, one thread, inputs in place; all pairs take turns in
rounds. Compared is the machine left alone with itself. A pass is cut in slices of a few
milliseconds of whole tasks; before and after each the probe's own gauge is looked at, and the
slice's time is brought to the gauge's least of the probe, as the probe brings its kernels' times
(netwright.machine.probe.undisturbed): by how much longer slices took when the gauge was slow. The
plain median of whole passes, whatever the machine did meanwhile, is printed beside it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import final

from benchmarks.array_cases import ArrayCase, detector, minilm, recogniser
from benchmarks.llm import CASES as TEXTS
from benchmarks.tables import machine_line, show
from benchmarks.workers.protocol import OURS, Answer, Worker, WorkerError
from benchmarks.workers.truth import planned

from netwright.machine.probe import full
from netwright.machine.probe.undisturbed import (
    Samples,
    Usual,
    gauges_of,
    sensitivity,
    undisturbed,
)

FOLDER = Path("build/bench")
CLAIMED_MEDIAN, CLAIMED_WORST, CLAIMED_COVER, CLAIMED_MEMORY = 0.08, 0.20, 0.80, 0.03


@final
@dataclass(frozen=True, slots=True)
class Pair:
    """A network at a setting, and the request that measures it."""

    name: str
    request: Answer


def _arrays(case: ArrayCase) -> Pair:
    return Pair(case.name, {"kind": "arrays", "source": case.source, "dims": case.dims})


def _text(index: int, prompt: int, tokens: int) -> Pair:
    case = TEXTS[index]
    what = f"a token at {prompt}" if tokens else f"prompt of {prompt}"
    path = str(case.file().resolve())
    request = {"kind": "text", "path": path, "prompt": prompt, "tokens": tokens}
    return Pair(f"{case.name}, {what}", request)


def pairs() -> list[Pair]:
    """All pairs: sizes off the round numbers that kernels are probed at."""
    return [
        *(_arrays(detector(*size)) for size in ((480, 480), (352, 608), (736, 416))),
        *(_arrays(recogniser(width)) for width in (208, 320, 440)),
        _arrays(ArrayCase("OCR cls 48x192", "ocr-cls")),
        *(_arrays(minilm(tokens)) for tokens in (40, 128, 200)),
        _arrays(ArrayCase("EfficientNet-Lite0", "efficientnet-lite0")),
        _arrays(ArrayCase("Silero VAD, one step", "silero-vad")),
        _arrays(ArrayCase("basic-pitch", "basic-pitch")),
        _arrays(ArrayCase("magika", "magika")),
        _arrays(ArrayCase("digits", "digits")),
        *(_text(0, prompt, 0) for prompt in (40, 200, 440)),
        *(_text(0, prompt, 1) for prompt in (24, 300, 800)),
        *(_text(1, prompt, tokens) for prompt, tokens in ((150, 0), (150, 1))),
        *(_text(2, prompt, tokens) for prompt, tokens in ((72, 0), (72, 1))),
    ]


@final
@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of a pass: of its slices as if left alone, and of whole passes: median and best.

    `alone_share`: of the samples of slices, those that were left alone. `reference_slowdown` and
    `stream_slowdown`: medians of the gauges against the probe's. `sensitivity`: how much the pass
    feels what the reference feels.
    """

    seconds: float
    whole_seconds: float
    best_seconds: float
    num_passes: int
    alone_share: float
    reference_slowdown: float
    stream_slowdown: float
    sensitivity: float


def measured(whole: list[float], slices: list[Samples], usual: Usual) -> Measured:
    """Each slice brought to a machine left alone, as the probe brings its kernels; their sum."""
    power = sensitivity(slices, usual)
    seconds = sum(median(undisturbed(samples, power, usual)) for samples in slices)
    every = [sample for samples in slices for sample in samples]
    return Measured(
        seconds,
        median(whole),
        min(whole),
        len(whole),
        usual.num_alone(every) / len(every),
        median(s[1] for s in every) / usual.reference_seconds,
        median(s[2] for s in every) / usual.stream_seconds,
        power,
    )


@final
@dataclass(frozen=True, slots=True)
class Row:
    """A pair, what was predicted and planned of it, and what was measured."""

    pair: Pair
    facts: Answer
    measured: Measured

    @property
    def error(self) -> float:
        """Of the predicted time, against the passes that count."""
        return self.facts["predicted"] / self.measured.seconds - 1.0

    @property
    def error_of_whole(self) -> float:
        """Of the predicted time, against the median whole pass, whatever the machine did."""
        return self.facts["predicted"] / self.measured.whole_seconds - 1.0

    @property
    def is_covered(self) -> bool:
        """Whether the interval holds what was measured."""
        return self.facts["low"] <= self.measured.seconds <= self.facts["high"]

    @property
    def memory_error(self) -> float:
        """Of the planned peak memory."""
        return self.facts["planned_bytes"] / self.facts["measured_bytes"] - 1.0

    def cells(self) -> list[str]:
        """One line of the table."""
        facts, m = self.facts, self.measured
        return [
            self.pair.name,
            f"{1e3 * facts['predicted']:.3g}",
            f"{1e3 * facts['low']:.3g} to {1e3 * facts['high']:.3g}",
            f"{1e3 * m.seconds:.3g}",
            f"{self.error:+.1%}",
            "inside" if self.is_covered else "outside",
            f"{m.alone_share:.0%} of {m.num_passes}",
            f"{m.reference_slowdown:.2f}^{m.sensitivity:.2f} {m.stream_slowdown:.2f}",
            f"{1e3 * m.whole_seconds:.3g} ({1e3 * m.best_seconds:.3g})",
            f"{self.error_of_whole:+.1%}",
            f"{facts['planned_bytes'] / 1e6:.2f} / {facts['measured_bytes'] / 1e6:.2f}",
            f"{self.memory_error:+.1%}",
        ]


def _start(pair: Pair) -> tuple[Worker, Answer]:
    """Planned here, so that the cache has it; loaded in a process of its own."""
    planned(pair.request)
    worker = Worker(OURS, "benchmarks.workers.truth", "netwright", [])
    try:
        return worker, worker.ask(pair.request)
    except WorkerError:
        worker.close()
        raise


def measure(wanted: list[Pair], rounds: int, seconds: float) -> list[Row]:
    """All pairs in turn, `rounds` times, each for about `seconds` a turn."""
    usual = gauges_of(full())
    assert usual is not None, "a full profile keeps its gauges"
    running: list[tuple[Pair, Worker, Answer]] = []
    whole: dict[str, list[float]] = {}
    slices: dict[str, list[Samples]] = {}
    try:
        for pair in wanted:
            try:
                running.append((pair, *_start(pair)))
            except WorkerError as error:
                print(f"  {pair.name} is left out: {error}", flush=True)
        for _ in range(rounds):
            for pair, worker, _ in running:
                answer = worker.ask({"seconds": seconds})
                whole.setdefault(pair.name, []).extend(answer["whole"])
                for taken in answer["slices"]:
                    kept = slices.setdefault(pair.name, [[] for _ in taken])
                    for each, samples in zip(kept, taken, strict=True):
                        each += [tuple(sample) for sample in samples]
    finally:
        for _, worker, _ in running:
            worker.close()
    return [
        Row(pair, facts, measured(whole[pair.name], slices[pair.name], usual))
        for pair, _, facts in running
    ]


HEAD = [
    "pair",
    "predicted ms",
    "interval",
    "measured ms, left alone",
    "error",
    "inside the interval",
    "left alone, of passes",
    "gauges then / probed: reference^sensitivity, memory",
    "whole passes: median (best)",
    "error to whole",
    "memory MB: planned / measured",
    "error",
]


def _verdict(value: float, claimed: float) -> str:
    return "reached" if value <= claimed else "missed"


def _summary(kept: list[Row]) -> None:
    covered = sum(row.is_covered for row in kept) / len(kept)
    memory = [abs(row.memory_error) for row in kept]
    rows: list[list[str]] = []
    for where, errors in (
        ("", [abs(row.error) for row in kept]),
        (", to whole passes", [abs(row.error_of_whole) for row in kept]),
    ):
        for what, value, claimed in (
            ("median error", median(errors), CLAIMED_MEDIAN),
            ("worst error", max(errors), CLAIMED_WORST),
        ):
            verdict = _verdict(value, claimed)
            rows.append([what + where, f"<= {claimed:.0%}", f"{value:.1%}", verdict])
    verdict = "reached" if covered >= CLAIMED_COVER else "missed"
    rows.append(["intervals that hold the median", ">= 80%", f"{covered:.0%}", verdict])
    verdict = "reached" if max(memory) <= CLAIMED_MEMORY else "missed"
    shown = f"median {median(memory):.1%}, worst {max(memory):.1%}"
    rows.append(["planned against measured peak memory", "<= 3%", shown, verdict])
    show(f"{len(kept)} pairs", ["", "claimed", "shown", ""], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.4, help="of passes for each turn")
    parser.add_argument("--rounds", type=int, default=8, help="turns of each pair")
    parser.add_argument("--only", default="", help="pairs whose name contains this")
    given = parser.parse_args()
    print(machine_line())
    kept = measure([p for p in pairs() if given.only in p.name], given.rounds, given.seconds)
    show("predicted against measured, one thread", HEAD, [row.cells() for row in kept])
    _summary(kept)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "truth.json").write_text(json.dumps([asdict(row) for row in kept], indent=1))


if __name__ == "__main__":
    main()
