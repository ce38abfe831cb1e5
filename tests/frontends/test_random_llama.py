"""The random models of the benchmarks load, fold, and hold what was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.networks.random_llama import LLAMA_450M, Sizes, write_random_llama

from netwright.frontends.load import load
from netwright.graph.graph import Block
from netwright.graph.interpret import interpret
from netwright.run.generate.load import load_tokeniser

SMALL = Sizes(256, 2, 4, 2, 256, 300, 32)


@pytest.mark.parametrize("form", ["q4_0", "tq2_0", "q6_k"])
def test_random_llama(tmp_path: Path, form: str) -> None:
    path = write_random_llama(tmp_path / "r.gguf", SMALL, form, head="q8_0")
    graph = load(path)
    assert [n.repeat for n in graph.body if isinstance(n, Block)] == [2]
    formats = {t.format.name for t in graph.tensors if t.data}
    assert formats == {"fp32", form, "q8_0"}
    symbols = {"n_tokens": 2, "n_past": 0}
    logits = interpret(graph, {"tokens": np.array([1, 5])}, symbols, {})[0]["logits"]
    assert np.isfinite(logits).all()
    assert load_tokeniser(path).encode_prompt("a")[0] == 1
    again = write_random_llama(tmp_path / "s.gguf", SMALL, form, head="q8_0")
    assert again.read_bytes() == path.read_bytes()


def test_size() -> None:
    assert 440e6 < LLAMA_450M.parameters < 460e6
