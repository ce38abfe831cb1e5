"""llama.cpp's greedy ids, and its choices on them with other settings.

    python -m benchmarks.greedy.llama_cpp MODEL.gguf FOLDER COUNT SETTING [NAME]

Run it in the peers' environment. FOLDER gets `prompt_ids.json` and one .npz a setting (or
NAME.npz), to which a run adds the next COUNT prompts. `default` comes first (the wheel's own
defaults, one thread; a stop id does not stop) and writes the text that the others see.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.greedy.chosen import TOKENS, Chosen, extend, prompts
from numpy.typing import NDArray

FP32 = 0
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "n_threads=2": {"n_threads": 2, "n_threads_batch": 2},
    "n_batch=1": {"n_batch": 1},
    "fp32 cache": {"type_k": FP32, "type_v": FP32},
    "flash_attn": {"flash_attn": True},
    "flash_attn, fp32 cache": {"flash_attn": True, "type_k": FP32, "type_v": FP32},
}


class Model:
    """The wheel's own class, and the logits after the last token."""

    def __init__(self, path: str, settings: dict[str, Any]) -> None:
        self._api: Any = import_module("llama_cpp")
        options = {"n_ctx": 512, "n_threads": 1, "n_threads_batch": 1, "verbose": False}
        self._model = self._api.Llama(path, **(options | settings))

    def ids(self, text: str) -> list[int]:
        return list(self._model.tokenize(text.encode(), add_bos=True, special=True))

    def logits(self, prompt: Sequence[int], text: Sequence[int] | None) -> NDArray[np.float32]:
        """[TOKENS, vocabulary] after the prompt and each id: of the text, or its best ones."""
        context = self._model._ctx.ctx
        self._model.reset()
        self._api.llama_memory_clear(self._api.llama_get_memory(context), True)
        self._model.eval(list(prompt))
        rows: list[NDArray[np.float32]] = []
        for i in range(TOKENS):
            at = self._api.llama_get_logits_ith(context, -1)
            rows.append(np.ctypeslib.as_array(at, shape=(self._model.n_vocab(),)).copy())
            if i + 1 < TOKENS:
                self._model.eval([int(rows[-1].argmax()) if text is None else int(text[i])])
        return np.array(rows)


def run(model: Model, folder: Path, name: str, count: int) -> None:
    """One setting over the next prompts."""
    text = None if name == "default" else Chosen.load(folder / "default.npz")

    def rows(place: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
        ids = model.ids(prompts()[place]["prompt"])
        if text is None:
            return model.logits(ids, None), None
        given = np.stack((text.best[place], text.second[place]), axis=1)
        return model.logits(ids, text.best[place].tolist()), given

    extend(folder / f"{name}.npz", rows, count)


def main() -> None:
    path, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    model = Model(path, SETTINGS[sys.argv[4]])
    folder.mkdir(parents=True, exist_ok=True)
    ids = [model.ids(each["prompt"]) for each in prompts()]
    (folder / "prompt_ids.json").write_text(json.dumps(ids))
    run(model, folder, sys.argv[-1], count)


if __name__ == "__main__":
    main()
