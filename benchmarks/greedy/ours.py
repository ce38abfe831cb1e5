"""Our choices on llama.cpp's ids: native, or in float64 (nothing rounded).

    python -m benchmarks.greedy.ours MODEL.gguf FOLDER COUNT native|float64 [NAME]

FOLDER is what `benchmarks.greedy.llama_cpp` filled; a run adds the next COUNT prompts to NAME.npz.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.greedy.chosen import TOKENS, Chosen, extend, prompts
from benchmarks.greedy.exact import ExactLlama
from numpy.typing import NDArray

from netwright.frontends.load import load
from netwright.job.job import Generate, Limits
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.decoder import NativeDecoder
from netwright.run.generate.load import load_tokeniser
from netwright.run.native import NativeRuntime

MACHINE, PROMPT = "raspberry-pi-5", 256

Engine = Callable[[Sequence[int], Sequence[int]], NDArray[Any]]


def native(model: Path) -> Engine:
    """Logits [TOKENS, vocabulary] by the runtime, which gives the same bits on any machine."""
    job = Generate(prompt=PROMPT, tokens=TOKENS, chunk=32, verify=2, limits=Limits(threads=1))
    program = make_plan(load(model), library_machine(MACHINE), job).program
    decoder = NativeDecoder(NativeRuntime(program), load_tokeniser(model).size)

    def rows(prompt: Sequence[int], text: Sequence[int]) -> NDArray[Any]:
        decoder.reset()
        found = [np.array(decoder.prefill(prompt))]
        found += [decoder.decode(token).copy() for token in text[:-1]]
        return np.array(found)

    return rows


def float64(model: Path) -> Engine:
    """Logits [TOKENS, vocabulary] in float64 throughout."""
    exact = ExactLlama(model)

    def rows(prompt: Sequence[int], text: Sequence[int]) -> NDArray[Any]:
        return exact.logits([*prompt, *text[:-1]], len(prompt) - 1)

    return rows


def main() -> None:
    model, folder = Path(sys.argv[1]), Path(sys.argv[2])
    count, which = int(sys.argv[3]), sys.argv[4]
    text = Chosen.load(folder / "default.npz")
    prompt_ids: list[list[int]] = json.loads((folder / "prompt_ids.json").read_text())
    tokeniser = load_tokeniser(model)
    engine = {"native": native, "float64": float64}[which](model)

    def rows(place: int) -> tuple[NDArray[Any], NDArray[Any]]:
        ids = prompt_ids[place]
        if tokeniser.encode_prompt(prompts()[place]["prompt"]) != ids:
            raise SystemExit(f"prompt {place} is not the same ids")
        given = np.stack((text.best[place], text.second[place]), axis=1)
        return engine(ids, text.best[place].tolist()), given

    extend(folder / f"{sys.argv[5] if len(sys.argv) > 5 else which}.npz", rows, count)


if __name__ == "__main__":
    main()
