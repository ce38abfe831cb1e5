"""GGUF → Graph: logits against llama.cpp's, folding, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from tests.frontends import tiny_models
from tests.frontends.tiny_models import ARCHITECTURES, CONTEXT, PROMPT

from netwright.errors import FormatError, JobError, UnsupportedError
from netwright.frontends.gguf import load_gguf, read_model
from netwright.frontends.gguf_file import read_gguf
from netwright.frontends.gguf_write import write_gguf
from netwright.frontends.packages import package_file
from netwright.graph.graph import Block, Graph
from netwright.graph.interpret import interpret
from netwright.graph.tensor import Role
from netwright.run.generate.load import load_tokeniser

# The last row's logits of ik_llama.cpp (package ik-llama-cpp-python 0.1.5) for these same files
# and prompt, fp32 weights; its caches are fp16, ours in the interpreter are not rounded.
LLAMA_CPP = json.loads((Path(__file__).parent / "llama_cpp_logits.json").read_text())


RUN = Path(__file__).parents[1] / "run" / "generate"


def logits(graph: Graph, ids: tuple[int, ...] = PROMPT) -> np.ndarray:
    symbols = {"n_tokens": len(ids), "n_past": 0}
    return interpret(graph, {"tokens": np.array(ids)}, symbols, {})[0]["logits"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_logits_equal_llama_cpps(tmp_path: Path, name: str) -> None:
    graph = load_gguf(tiny_models.write(tmp_path / "m.gguf", name))
    expected = np.array(LLAMA_CPP[name])
    error = np.abs(logits(graph)[0] - expected).max() / np.abs(expected).max()
    # 26 layers of an fp16 cache against one that is not rounded; a wrong window gives above 1
    assert error < (0.02 if name == "gemma2" else 0.003)


@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_one_by_one_equals_all_at_once(tmp_path: Path, name: str) -> None:
    graph = load_gguf(tiny_models.write(tmp_path / "m.gguf", name), all_logits=True)
    whole = logits(graph)
    assert whole.shape == (len(PROMPT), tiny_models.VOCABULARY)
    state: dict[str, Any] = {}
    for past, token in enumerate(PROMPT[:8]):
        symbols = {"n_tokens": 1, "n_past": past}
        out, state = interpret(graph, {"tokens": np.array([token])}, symbols, state)
        np.testing.assert_allclose(out["logits"][0], whole[past], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("llama", [(3, 1)]), ("gemma2", [(13, 2)]), ("gemma3", [(5, 1)])],
)
def test_folds_layers_that_are_alike(
    tmp_path: Path, name: str, blocks: list[tuple[int, int]]
) -> None:
    graph = load_gguf(tiny_models.write(tmp_path / "m.gguf", name))
    found = [n for n in graph.body if isinstance(n, Block)]
    caches = sum(t.role is Role.CACHE for t in graph.tensors)
    layers = ARCHITECTURES[name][0]
    assert [n.repeat for n in found] == [repeat for repeat, _ in blocks]
    assert caches == 2 * (layers - sum(p * (r - 1) for r, p in blocks))
    for repeat, _ in blocks:
        assert any(len(t.data) == repeat for t in graph.tensors)


def test_a_window_as_wide_as_the_context_is_none(tmp_path: Path) -> None:
    path = tiny_models.write(tmp_path / "m.gguf", "gemma2")
    model = read_model(read_gguf(path), context=6)
    assert {layer.window for layer in model.layers} == {None}
    graph = load_gguf(path, context=6)
    assert [n.repeat for n in graph.body if isinstance(n, Block)] == [26]
    longer = load_gguf(path)
    np.testing.assert_allclose(logits(graph, PROMPT[:6]), logits(longer, PROMPT[:6]))


def test_rope_factors_equal_linear_scaling(tmp_path: Path) -> None:
    tensors = tiny_models.arrays("llama")
    values = tiny_models.metadata("llama")
    linear, factors = tmp_path / "linear.gguf", tmp_path / "factors.gguf"
    stored = [tiny_models.encoded(n, a, "fp32") for n, a in tensors.items()]
    scaling = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    write_gguf(linear, {**values, **scaling}, stored)
    four = tiny_models.encoded("rope_freqs.weight", np.full(8, 4, np.float32), "fp32")
    write_gguf(factors, values, [*stored, four])
    np.testing.assert_allclose(logits(load_gguf(linear)), logits(load_gguf(factors)))
    assert np.abs(logits(load_gguf(linear))[0] - LLAMA_CPP["llama"]).max() > 0.1


@pytest.mark.parametrize("form", ["q4_1", "q8_0", "bf16"])
def test_weights_are_what_the_gguf_package_decodes(tmp_path: Path, form: str) -> None:
    path = tiny_models.write(tmp_path / "m.gguf", "llama", form)
    graph = load_gguf(path)
    weights = [t for t in graph.tensors if t.role is Role.WEIGHT and len(t.dims) == 2]
    assert {t.format.name for t in weights} == {form}
    decoded = [
        tiny_models.encoded(t.name, gguf.dequantize(t.data, t.tensor_type), "fp32")
        for t in gguf.GGUFReader(path).tensors
    ]
    plain = tmp_path / "decoded.gguf"
    write_gguf(plain, tiny_models.metadata("llama"), decoded)
    np.testing.assert_allclose(logits(graph), logits(load_gguf(plain)), rtol=1e-5, atol=1e-5)


@pytest.mark.network
def test_smollm2_says_what_llama_cpp_says() -> None:
    greedy = json.loads((RUN / "smollm2_greedy.json").read_text())[0]
    graph = load_gguf(package_file("smollm2"), context=64, all_logits=True)
    tokeniser = load_tokeniser(package_file("smollm2"))
    prompt = tokeniser.encode_prompt("The capital of France is")
    said = greedy["ids"][:12]
    best = logits(graph, (*prompt, *said))[len(prompt) - 1 : -1].argmax(axis=1)
    assert tokeniser.decode(best[:1].tolist()) == " Paris"
    # llama.cpp rounds activations to 8 bits: a choice between near equals may differ
    clear = np.array(greedy["margins"][:12]) > 0.5
    assert clear.sum() >= 6
    assert (best == said)[clear].all()
    assert [n.repeat for n in graph.body if isinstance(n, Block)] == [30]
    assert {s.name: (s.low, s.high) for s in graph.symbols} == {
        "n_tokens": (1, 64),
        "n_past": (0, 63),
    }
    assert dict(graph.metadata)["general.license"] == "apache-2.0"


def changed(tmp_path: Path, name: str, values: dict[str, Any], drop: str = "") -> Path:
    path = tmp_path / "changed.gguf"
    given = {k: v for k, v in tiny_models.metadata(name).items() if k != drop}
    tensors = {k: v for k, v in tiny_models.arrays(name).items() if k != drop}
    stored = [tiny_models.encoded(n, a, "fp32") for n, a in tensors.items()]
    write_gguf(path, {**given, **values}, stored)
    return path


REFUSED: dict[str, tuple[dict[str, Any], str, type[Exception], str]] = {
    "architecture": ({"general.architecture": "rwkv"}, "", UnsupportedError, "'rwkv'; covered are"),
    "no architecture": ({}, "general.architecture", FormatError, "'general.architecture' is miss"),
    "no layers": ({}, "llama.block_count", FormatError, "'llama.block_count' is missing"),
    "many layers": ({"llama.block_count": 1 << 30}, "", FormatError, "from 1 to 1024"),
    "text width": ({"llama.embedding_length": "x"}, "", FormatError, "'x', expected an integer"),
    "wrong width": ({"llama.embedding_length": 32}, "", FormatError, "token_embd.weight.*shape"),
    "heads": ({"llama.attention.head_count_kv": 3}, "", FormatError, "a divisor of 4"),
    "odd rotary": ({"llama.rope.dimension_count": 3}, "", FormatError, "an even number"),
    "experts": ({"llama.expert_count": 8}, "", UnsupportedError, "mixtures of experts"),
    "yarn": ({"llama.rope.scaling.type": "yarn"}, "", UnsupportedError, "none and linear"),
    "no tensor": ({}, "blk.1.ffn_up.weight", FormatError, "'blk.1.ffn_up.weight' is missing"),
    "fewer layers": ({"llama.block_count": 2}, "", UnsupportedError, "no place.*'blk.2.attn_k"),
    "infinite": (
        {"llama.attention.layer_norm_rms_epsilon": float("inf")}, "", FormatError, "finite",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(tmp_path: Path, case: str) -> None:
    values, drop, error, text = REFUSED[case]
    with pytest.raises(error, match=text):
        load_gguf(changed(tmp_path, "llama", values, drop))


def test_context_out_of_range(tmp_path: Path) -> None:
    path = tiny_models.write(tmp_path / "m.gguf", "llama")
    with pytest.raises(JobError, match=f"context 100, expected 1 to {CONTEXT}"):
        load_gguf(path, context=100)
