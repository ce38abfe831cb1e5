"""What llama.cpp says: the record in tests/run/generate/llama_cpp_greedy.json.

    python -m benchmarks.llama_cpp_ids MODEL.gguf > tests/run/generate/llama_cpp_greedy.json

Run it in the peers' environment. For five prompts, 64 greedy ids (a stop id does not stop), with
the wheel's own defaults and one thread. Then the same ids once more with other settings of the same
library: how far its logits move is what a difference of rounding alone amounts to.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOKENS = 64
PROMPTS = (
    "The capital of France is",
    "Once upon a time, in a small village by the sea,",
    "def fibonacci(n):\n",
    "<|im_start|>user\nWhat is the capital of Italy?<|im_end|>\n<|im_start|>assistant\n",
    "Water boils at 100 degrees Celsius because",
)
OTHER_SETTINGS: dict[str, dict[str, Any]] = {
    "n_batch=1": {"n_batch": 1},
    "flash_attn": {"flash_attn": True},
}


class Model:
    """The wheel's own class with its defaults, and the logits after the last token."""

    def __init__(self, path: str, settings: dict[str, Any]) -> None:
        self._api: Any = import_module("llama_cpp")
        self._model = self._api.Llama(
            path, n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False, **settings
        )

    def ids(self, text: str) -> list[int]:
        return list(self._model.tokenize(text.encode(), add_bos=True, special=True))

    def logits(self, prompt: Sequence[int], forced: Sequence[int] | None) -> NDArray[np.float32]:
        """[TOKENS, vocabulary] after the prompt and each id: the best one, or the forced one."""
        context = self._model._ctx.ctx
        self._model.reset()
        self._api.llama_memory_clear(self._api.llama_get_memory(context), True)
        self._model.eval(list(prompt))
        rows: list[NDArray[np.float32]] = []
        for i in range(TOKENS):
            at = self._api.llama_get_logits_ith(context, -1)
            rows.append(np.ctypeslib.as_array(at, shape=(self._model.n_vocab(),)).copy())
            self._model.eval([int(rows[-1].argmax()) if forced is None else forced[i]])
        return np.array(rows)


def same(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids are equal before the first that is not."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), len(one))


def main() -> None:
    path = sys.argv[1]
    usual = Model(path, {})
    others = {name: Model(path, settings) for name, settings in OTHER_SETTINGS.items()}
    records: list[dict[str, Any]] = []
    for prompt in PROMPTS:
        prompt_ids = usual.ids(prompt)
        logits = usual.logits(prompt_ids, None)
        ids = logits.argmax(axis=1).tolist()
        best = np.sort(logits, axis=1)[:, -2:]
        variants: dict[str, Any] = {}
        for name, model in others.items():
            free = model.logits(prompt_ids, None).argmax(axis=1).tolist()
            forced = model.logits(prompt_ids, ids)
            difference = np.abs(forced - logits).max(axis=1)
            moved = forced[range(TOKENS), ids] - logits[range(TOKENS), ids]
            variants[name] = {
                "equal_ids": same(free, ids),
                "other_choices": int((forced.argmax(axis=1) != ids).sum()),
                "largest_difference_median": round(float(np.median(difference)), 3),
                "best_difference_rms": round(float(np.sqrt((moved**2).mean())), 3),
            }
        records.append(
            {
                "prompt": prompt,
                "prompt_ids": prompt_ids,
                "ids": ids,
                "best": [round(float(b), 3) for b in best[:, 1]],
                "margins": [round(float(b - a), 3) for a, b in best],
                "variants": variants,
            }
        )
    version = metadata.version("llama-cpp-python")
    library = f"llama-cpp-python {version}, x86-64 with AVX2, n_ctx 512, one thread"
    print(
        json.dumps({"library": library, "made_by": "benchmarks/llama_cpp_ids.py"})[:-1], end=",\n"
    )
    lines = ",\n".join(json.dumps(record) for record in records)
    print(f'"prompts": [\n{lines}\n]}}')


if __name__ == "__main__":
    main()
