"""Joins what the engines chose: python -m benchmarks.greedy.record FOLDER.

Prints the tables of docs/formats.md; writes one line a prompt to benchmarks/greedy/results.csv and
a few prompts for tests/path/test_llama_cpp.py to tests/run/generate/llama_cpp_greedy.json.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from benchmarks.greedy.chosen import PROMPTS, TOKENS, Chosen, prompts
from benchmarks.greedy.llama_cpp import SETTINGS
from numpy.typing import NDArray

LIBRARY: Final = "llama-cpp-python 0.3.36, x86-64 with AVX2, n_ctx 512, one thread"
RECORD: Final = Path("tests/run/generate/llama_cpp_greedy.json")
RESULTS: Final = PROMPTS.with_name("results.csv")
OTHERS: Final = tuple(name for name in SETTINGS if name != "default")
STABLE_RECORDED: Final = 5
OTHERS_RECORDED: Final = 3


def equal_ids(one: Chosen, other: Chosen) -> NDArray[np.int64]:
    """[P]: ids before the first that differs, of TOKENS. Both saw the same text."""
    same = one.best == other.best
    return np.where(same.all(axis=1), TOKENS, same.argmin(axis=1))


def rms(values: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def row(name: str, found: Chosen, text: Chosen, exact: Chosen) -> str:
    """A line of the table: found against llama.cpp's default, and against float64."""
    equal = equal_ids(found, text)
    cells = [
        f"{int((equal == TOKENS).sum())}",
        f"{np.median(equal):.0f}",
        f"{int((found.best != text.best).sum())}",
        f"{int((found.best != exact.best).sum())}",
        f"{rms(found.sample - text.sample):.3f}",
        f"{rms(found.sample - exact.sample):.3f}",
    ]
    return f"| {name} | " + " | ".join(cells) + " |"


def table(engines: dict[str, Chosen], text: Chosen, exact: Chosen) -> str:
    head = [
        f"| on llama.cpp's ids, {len(text.best)} prompts x {TOKENS} | prompts with all ids equal |"
        " ids equal before another, median | other choices | other choices than float64's |"
        " RMS of logits less llama.cpp's | less float64's |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    return "\n".join(head + [row(name, found, text, exact) for name, found in engines.items()])


def write_results(engines: dict[str, Chosen], text: Chosen, stable: NDArray[np.bool_]) -> None:
    """One line a prompt: ids equal by engine, and the gap where ours first chose another."""
    ours = engines["netwright"]
    gap = text.text_logit - text.rival_logit
    with RESULTS.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        names = [f"equal: {name}" for name in engines]
        out.writerow(
            ["number", "kind", "stable", *names, "gap at our first other choice", "prompt"]
        )
        for i, each in enumerate(prompts()):
            equal = [int(equal_ids(found, text)[i]) for found in engines.values()]
            first = int(equal_ids(ours, text)[i])
            at = "" if first == TOKENS else f"{gap[i, first]:.3f}"
            out.writerow([i, each["kind"], int(stable[i]), *equal, at, each["prompt"]])


def record(folder: Path, place: int, engines: dict[str, Chosen], stable: bool) -> dict[str, Any]:
    """One prompt of the test's record."""
    text = engines["default"]
    variants: dict[str, Any] = {}
    for name in OTHERS:
        moved = engines[name].text_logit[place] - text.text_logit[place]
        variants[name] = {
            "equal_ids": int(equal_ids(engines[name], text)[place]),
            "other_choices": int((engines[name].best[place] != text.best[place]).sum()),
            "best_difference_rms": round(rms(moved), 3),
        }
    margins = text.text_logit[place] - text.rival_logit[place]
    return {
        "number": place,
        "prompt": prompts()[place]["prompt"],
        "stable": stable,
        "prompt_ids": json.loads((folder / "prompt_ids.json").read_text())[place],
        "ids": text.best[place].tolist(),
        "best": [round(float(x), 3) for x in text.text_logit[place]],
        "margins": [round(float(x), 3) for x in margins],
        "variants": variants,
    }


def write_record(folder: Path, engines: dict[str, Chosen], stable: NDArray[np.bool_]) -> None:
    """The first stable prompts and the first others, in the order of the list."""
    chosen = np.flatnonzero(stable)[:STABLE_RECORDED].tolist()
    chosen += np.flatnonzero(~stable)[:OTHERS_RECORDED].tolist()
    head = {
        "library": LIBRARY,
        "made_by": "benchmarks/greedy",
        "prompts_tried": len(stable),
        "prompts_stable": int(stable.sum()),
    }
    lines = [json.dumps(record(folder, i, engines, bool(stable[i]))) for i in sorted(chosen)]
    text = json.dumps(head)[:-1] + ',\n"prompts": [\n' + ",\n".join(lines) + "\n]}\n"
    RECORD.write_text(text)


def main() -> None:
    folder = Path(sys.argv[1])
    text, exact = Chosen.load(folder / "default.npz"), Chosen.load(folder / "float64.npz")
    engines = {name: Chosen.load(folder / f"{name}.npz") for name in SETTINGS}
    engines["netwright"] = Chosen.load(folder / "native.npz")
    stable = np.all([equal_ids(engines[name], text) == TOKENS for name in OTHERS], axis=0)
    for extra in ("default, nudged", "native, nudged"):
        if (folder / f"{extra}.npz").exists():
            engines[extra] = Chosen.load(folder / f"{extra}.npz")
    print(table(engines | {"float64": exact}, text, exact))
    ours = equal_ids(engines["netwright"], text)
    print(f"\nstable on {int(stable.sum())} of {len(stable)}: {np.flatnonzero(stable).tolist()}")
    print(f"ours equal on {int((ours[stable] == TOKENS).sum())} of these")
    print(f"ours equal on {int((ours[~stable] == TOKENS).sum())} of the others")
    write_results(engines, text, stable)
    write_record(folder, engines, stable)


if __name__ == "__main__":
    main()
