"""Language models side by side with llama.cpp and ik_llama.cpp: python -m benchmarks.llm.

CPU seconds, one thread, one process a library, repeats in turn (A B C A B C). Each library reads
the same file. Ours is compared with the better of the two at each of prompt and generation.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, final

from benchmarks.networks.random_llama import LLAMA_450M, write_random_llama
from benchmarks.networks.requantise import requantise
from benchmarks.tables import machine_line, show, verdict
from benchmarks.workers.protocol import OURS, PEERS, Answer, Worker, WorkerError

from netwright.frontends.packages import package_file
from netwright.job.job import Generate, Limits
from netwright.path.prepare import Request, prepare

FOLDER = Path("build/bench")
PEER_NAMES = ("llama.cpp", "ik_llama.cpp", "ik_llama.cpp repacked")
MODULE = "benchmarks.workers.text"


@final
@dataclass(frozen=True, slots=True)
class Case:
    """A model, how many tokens of prompt and of generation, and what is claimed of both."""

    name: str
    file: Callable[[], Path]
    vocabulary: int
    prompt: int
    tokens: int
    claimed_prompt: float
    claimed_tokens: float

    @property
    def context(self) -> int:
        return 1024 if self.prompt + self.tokens > 256 else 256

    def request(self) -> Answer:
        """The same ids for every library, spread over the vocabulary."""
        ids = [(i * 7919 + 311) % (self.vocabulary - 300) + 280 for i in range(1024)]
        return {"prompt": ids[: self.prompt], "tokens": ids[-self.tokens :]}


def _written(name: str, write: Callable[[Path], Path]) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / name
    return path if path.exists() else write(path)


def _random(form: str) -> Path:
    return _written(
        f"random450m-{form}.gguf", lambda path: write_random_llama(path, LLAMA_450M, form)
    )


CASES = (
    Case(
        "SmolLM2-135M Q4_1 as shipped", lambda: package_file("smollm2"), 49152, 512, 128, 1.0, 1.1
    ),
    Case(
        "SmolLM2-135M Q8_0",
        lambda: _written(
            "smollm2-q8_0.gguf", lambda path: requantise(package_file("smollm2"), "q8_0", path)
        ),
        49152,
        512,
        128,
        1.0,
        1.0,
    ),
    Case("random llama 450M Q4_0", lambda: _random("q4_0"), 32000, 128, 32, 1.0, 1.0),
    Case("random llama 450M TQ2_0", lambda: _random("tq2_0"), 32000, 128, 32, 1.0, 1.0),
    # The formats that people download most: the aim is to be no slower.
    Case("random llama 450M Q4_K", lambda: _random("q4_k"), 32000, 128, 32, 1.0, 1.0),
    Case("random llama 450M Q6_K", lambda: _random("q6_k"), 32000, 128, 32, 1.0, 1.0),
)


@final
@dataclass(slots=True)
class Runs:
    """Every repeat of one library at one case."""

    case: Case
    answers: list[Answer] = field(default_factory=list[Answer])

    def rate(self, key: str, tokens: int) -> tuple[float, float]:
        """Tokens a second: of the median repeat, and of the best."""
        seconds = [a[key] for a in self.answers]
        return tokens / median(seconds), tokens / min(seconds)

    @property
    def prompt(self) -> tuple[float, float]:
        return self.rate("prompt_seconds", self.case.prompt)

    @property
    def tokens(self) -> tuple[float, float]:
        return self.rate("tokens_seconds", self.case.tokens)

    @property
    def peak_bytes(self) -> int:
        return max(a["peak_bytes"] for a in self.answers)


def planned(path: Path, case: Case, threads: int) -> Path:
    """The file of the cached program."""
    job = Generate(
        prompt=case.context - case.tokens, tokens=case.tokens, limits=Limits(threads=threads)
    )
    return prepare(Request(str(path), "here", job)).file.path


@contextmanager
def workers(case: Case, names: tuple[str, ...], threads: int = 1) -> Generator[dict[str, Worker]]:
    """A loaded process for each library that is there."""
    path = case.file().resolve()
    started: dict[str, Worker] = {}
    try:
        for name in names:
            ours = name.startswith("netwright")
            model = planned(path, case, threads) if ours else path
            arguments = [str(model), str(case.context), str(threads)]
            try:
                started[name] = Worker(OURS if ours else PEERS, MODULE, name, arguments)
            except WorkerError as error:
                print(f"  {name} is left out of {case.name}: {error}")
        yield started
    finally:
        for worker in started.values():
            worker.close()


def measure(case: Case, repeats: int) -> dict[str, Runs]:
    """All libraries in turn, after one pass each that is not counted."""
    with workers(case, ("netwright", *PEER_NAMES)) as started:
        runs = {name: Runs(case) for name in started}
        for worker in started.values():
            worker.ask(case.request())
        for _ in range(repeats):
            for name, worker in started.items():
                runs[name].answers.append(worker.ask(case.request()))
    return runs


def _show(case: Case, runs: dict[str, Runs]) -> dict[str, Any]:
    rows = [
        [
            name,
            f"{r.prompt[0]:.0f} ({r.prompt[1]:.0f})",
            f"{r.tokens[0]:.1f} ({r.tokens[1]:.1f})",
            f"{r.peak_bytes / 1e6:.0f}",
        ]
        for name, r in runs.items()
    ]
    head = [
        case.name,
        f"prompt {case.prompt}, tokens / CPU s: median (best)",
        f"generation {case.tokens}",
        "peak MB",
    ]
    show(case.name, head, rows)
    ours, peers = runs["netwright"], [r for n, r in runs.items() if n != "netwright"]
    found: dict[str, Any] = {"case": case.name, "peak_bytes": ours.peak_bytes}
    lines: list[list[str]] = []
    for what, claimed in (("prompt", case.claimed_prompt), ("tokens", case.claimed_tokens)):
        best = [max((getattr(r, what)[i] for r in peers), default=None) for i in range(2)]
        ratios = [getattr(ours, what)[i] / b if b else None for i, b in enumerate(best)]
        found[what] = ratios
        shown = " ".join(f"{r:.2f}" if r else "-" for r in ratios)
        lines.append([what, f">= {claimed}", shown, verdict(ratios[0], claimed)])
    show("against the better peer", ["", "claimed", "shown: medians, bests", ""], lines)
    return found


def two_threads(repeats: int) -> None:
    """Ours with two threads against one, in wall time, on the machine as busy as it is."""
    case = CASES[0]
    rows: list[list[str]] = []
    with workers(case, ("netwright",), 1) as one, workers(case, ("netwright 2",), 2) as two:
        both = {"1 thread": one["netwright"], "2 threads": two["netwright 2"]}
        runs = {name: Runs(case) for name in both}
        for worker in both.values():
            worker.ask(case.request())
        for _ in range(repeats):
            for name, worker in both.items():
                runs[name].answers.append(worker.ask(case.request()))
    rates = {
        name: [
            r.rate("prompt_wall_seconds", case.prompt)[0],
            r.rate("tokens_wall_seconds", case.tokens)[0],
        ]
        for name, r in runs.items()
    }
    for i, what in enumerate(("prompt", "generation")):
        alone, together = rates["1 thread"][i], rates["2 threads"][i]
        ratio = together / alone
        cells = [f"{alone:.0f}", f"{together:.0f}", f"{ratio:.2f}", ">= 0.9", verdict(ratio, 0.9)]
        rows.append([what, *cells])
    head = ["wall tokens / s, medians", "1 thread", "2 threads", "ratio", "claimed", ""]
    show(f"two threads, load {os.getloadavg()[0]:.1f}", head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    given = parser.parse_args()
    print(machine_line())
    found = [_show(case, measure(case, given.repeats)) for case in CASES if given.only in case.name]
    if given.only in CASES[0].name:
        two_threads(given.repeats)
    (FOLDER / "llm.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
