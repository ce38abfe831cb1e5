"""Predicted against measured time and memory: python -m benchmarks.truth (probe the machine first).

Every pair is a network at a setting that the probe has no point for: the probe times kernels, never
a network. Measured are CPU seconds of one thread, inputs in place; each pair runs in a process of
its own. Two of the probe's own points are timed again between the runs: how fast the machine is
then against when it was probed. The error is given as it is, and at the machine's speed then.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, final

from benchmarks.array_cases import ArrayCase, detector, minilm, recogniser
from benchmarks.llm import CASES as TEXTS
from benchmarks.tables import machine_line, show
from benchmarks.workers.protocol import OURS, Answer, Worker, WorkerError
from benchmarks.workers.truth import planned

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


def measure(pair: Pair, seconds: float) -> dict[str, Any]:
    """Planned here, so that the cache has it; measured in a process of its own."""
    planned(pair.request)
    worker = Worker(OURS, "benchmarks.workers.truth", "netwright", [])
    try:
        return {"pair": pair.name, **worker.ask({**pair.request, "seconds": seconds})}
    finally:
        worker.close()


def _error(found: dict[str, Any], key: str) -> float:
    return found[key] / found["median"] - 1.0


def _verdict(value: float, claimed: float) -> str:
    return "reached" if value <= claimed else "missed"


def _row(found: dict[str, Any]) -> list[str]:
    covered = found["low"] <= found["median"] <= found["high"]
    memory = found["planned_bytes"] / found["measured_bytes"] - 1.0
    return [
        found["pair"],
        f"{1e3 * found['predicted']:.3g}",
        f"{1e3 * found['low']:.3g} to {1e3 * found['high']:.3g}",
        f"{1e3 * found['median']:.3g} ({1e3 * found['best']:.3g})",
        f"{_error(found, 'predicted'):+.1%}",
        "inside" if covered else "outside",
        f"{found['streamed']:.2f} {found['computed']:.2f}",
        f"{_error(found, 'predicted_now'):+.1%}",
        f"{found['planned_bytes'] / 1e6:.1f} / {found['measured_bytes'] / 1e6:.1f}",
        f"{memory:+.1%}",
    ]


def _summary(kept: list[dict[str, Any]]) -> None:
    covered = sum(f["low"] <= f["median"] <= f["high"] for f in kept) / len(kept)
    memory = [abs(f["planned_bytes"] / f["measured_bytes"] - 1.0) for f in kept]
    rows: list[list[str]] = []
    kinds = (("predicted", ""), ("predicted_now", ", at the machine's speed then"))
    for key, where in kinds:
        errors = [abs(_error(f, key)) for f in kept]
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
    parser.add_argument("--seconds", type=float, default=2.0, help="of runs for each pair")
    parser.add_argument("--only", default="", help="pairs whose name contains this")
    given = parser.parse_args()
    print(machine_line())
    kept: list[dict[str, Any]] = []
    for pair in pairs():
        if given.only not in pair.name:
            continue
        try:
            kept.append(measure(pair, given.seconds))
        except WorkerError as error:
            print(f"  {pair.name} is left out: {error}", flush=True)
            continue
        print("  " + "  ".join(_row(kept[-1])), flush=True)
    head = ["pair", "predicted ms", "interval", "measured ms: median (best)", "error"]
    head += ["median in the interval", "slower than probed: memory, arithmetic", "error then"]
    head += ["memory MB: planned / measured", "error"]
    show("predicted against measured, one thread", head, [_row(f) for f in kept])
    _summary(kept)
    (FOLDER / "truth.json").write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
