"""Our choices on llama.cpp's ids: native, or the graph in float64 (nothing rounded).

    python -m benchmarks.greedy.ours MODEL.gguf FOLDER native|float64

FOLDER is what `benchmarks.greedy.llama_cpp` filled.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.greedy.chosen import TOKENS, Chosen, from_rows, prompts
from numpy.typing import NDArray

from netwright.frontends.load import load
from netwright.graph.interpret import Interpreter
from netwright.job.job import Generate, Limits
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.decoder import NativeDecoder
from netwright.run.generate.load import load_tokeniser
from netwright.run.native import NativeRuntime

MACHINE, PROMPT = "raspberry-pi-5", 256

Rows = Callable[[Sequence[int], Sequence[int]], NDArray[Any]]


def native(model: Path) -> Rows:
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


def float64(model: Path) -> Rows:
    """Logits [TOKENS, vocabulary] by the interpreter: float64 throughout, decoded weights."""
    interpreter = Interpreter(load(model), cache_bytes=4 << 30)

    def rows(prompt: Sequence[int], text: Sequence[int]) -> NDArray[Any]:
        ids = np.array([*prompt, *text[:-1]])
        symbols = {"n_tokens": len(ids), "n_past": 0}
        return interpreter({"tokens": ids}, symbols, {})[0]["logits"][len(prompt) - 1 :]

    return rows


def main() -> None:
    model, folder, which = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    text = Chosen.load(folder / "default.npz")
    prompt_ids: list[list[int]] = json.loads((folder / "prompt_ids.json").read_text())
    tokeniser = load_tokeniser(model)
    rows = {"native": native, "float64": float64}[which](model)

    def every() -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        for i, each in enumerate(prompts()):
            if tokeniser.encode_prompt(each["prompt"]) != prompt_ids[i]:
                raise SystemExit(f"prompt {i} is not the same ids: {each['prompt']!r}")
            given = np.stack((text.best[i], text.second[i]), axis=1)
            yield rows(prompt_ids[i], text.best[i].tolist()), given

    from_rows(every()).save(folder / f"{which}.npz")


if __name__ == "__main__":
    main()
