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
# Settings that give the bits of another (checked on the prompts that were run) tell nothing more.
# llama.cpp rounds an fp32 cache to fp16 before its flash attention (llama-graph.cpp).
SAME_BITS: Final = {"n_threads=2": "default", "flash_attn, fp32 cache": "flash_attn"}
OTHERS: Final = tuple(name for name in SETTINGS if name not in ("default", *SAME_BITS))
NUDGED: Final = ("default, nudged", "native, nudged")
STABLE_RECORDED: Final = 5
OTHERS_RECORDED: Final = 3


def equal_ids(one: Chosen, other: Chosen) -> NDArray[np.int64]:
    """[P]: ids before the first that differs, of TOKENS. Both saw the same text."""
    count = min(len(one.best), len(other.best))
    same = one.best[:count] == other.best[:count]
    return np.where(same.all(axis=1), TOKENS, same.argmin(axis=1))


def rms(values: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def distance(one: Chosen, other: Chosen) -> tuple[int, float]:
    """Other choices, and the RMS difference of logits, on the prompts that both saw."""
    count = min(len(one.best), len(other.best))
    moved = one.sample[:count] - other.sample[:count]
    return int((one.best[:count] != other.best[:count]).sum()), rms(moved)


def row(name: str, found: Chosen, text: Chosen, exact: Chosen) -> str:
    """A line of the table: found against llama.cpp's default, and against float64."""
    equal = equal_ids(found, text)
    (other, apart), (wrong, off) = distance(found, text), distance(found, exact)
    cells = [
        f"{int((equal == TOKENS).sum())} of {len(equal)}",
        f"{np.median(equal):.0f}",
        f"{other}",
        f"{apart:.3f}",
        f"{wrong} of {TOKENS * min(len(found.best), len(exact.best))}",
        f"{off:.3f}",
    ]
    return f"| {name} | " + " | ".join(cells) + " |"


def table(engines: dict[str, Chosen], text: Chosen, exact: Chosen) -> str:
    head = [
        f"| on llama.cpp's ids, {len(text.best)} prompts x {TOKENS} | prompts with all ids equal |"
        " ids equal before another, median | other choices | RMS of logits less llama.cpp's |"
        " other choices than float64's | RMS less float64's |",
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
            out.writerow([i, each["kind"], int(stable[i]), *equal, at, json.dumps(each["prompt"])])


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


def same_bits(name: str, found: Chosen, other: Chosen) -> str:
    """Of the prompts that were run."""
    count = len(found.best)
    same = np.array_equal(found.sample, other.sample[:count])
    return f"{name}: {'the same' if same else 'OTHER'} bits as {SAME_BITS[name]}, {count} prompts"


def nudges(engines: dict[str, Chosen], nudged: dict[str, Chosen]) -> list[str]:
    """RMS of logits and other choices of each engine against itself on the nudged file."""
    pairs = zip(nudged.values(), (engines["default"], engines["netwright"]), strict=True)
    found = [(len(moved.best), *distance(moved, still)) for moved, still in pairs]
    return [f"{count} prompts: {other} other choices, {off:.3f}" for count, other, off in found]


def main() -> None:
    folder = Path(sys.argv[1])
    text, exact = Chosen.load(folder / "default.npz"), Chosen.load(folder / "float64.npz")
    engines = {name: Chosen.load(folder / f"{name}.npz") for name in ("default", *OTHERS)}
    engines["netwright"] = Chosen.load(folder / "native.npz")
    stable = np.all([equal_ids(engines[name], text) == TOKENS for name in OTHERS], axis=0)
    nudged = {name: Chosen.load(folder / f"{name}.npz") for name in NUDGED}
    print(table(engines | nudged | {"float64": exact}, text, exact))
    print(f"\nnudged against not nudged: {nudges(engines, nudged)}")
    for name, other in SAME_BITS.items():
        print(same_bits(name, Chosen.load(folder / f"{name}.npz"), engines[other]))
    ours = equal_ids(engines["netwright"], text)
    print(f"\nstable on {int(stable.sum())} of {len(stable)}: {np.flatnonzero(stable).tolist()}")
    print(f"ours equal on {int((ours[stable] == TOKENS).sum())} of these")
    print(f"ours equal on {int((ours[~stable] == TOKENS).sum())} of the others")
    write_results(engines, text, stable)
    write_record(folder, engines, stable)


if __name__ == "__main__":
    main()
