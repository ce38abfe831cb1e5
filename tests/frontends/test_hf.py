"""safetensors and Hugging Face folders: oracles are the package, torch, and our GGUF reader."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file
from tests.frontends import tiny_models
from tests.frontends.tiny_models import HEADS, KEY_HEADS, PROMPT
from torch.nn import functional

from netwright.errors import FormatError, JobError, NetwrightError, UnsupportedError
from netwright.frontends.gguf import load_gguf
from netwright.frontends.load import load
from netwright.frontends.packages import package_file
from netwright.frontends.safetensors_file import read_safetensors
from netwright.graph.graph import Block, Graph
from netwright.graph.interpret import interpret
from netwright.run.generate.load import load_tokeniser


def logits(graph: Graph) -> np.ndarray:
    symbols = {"n_tokens": len(PROMPT), "n_past": 0}
    return interpret(graph, {"tokens": np.array(PROMPT)}, symbols, {})[0]["logits"]


def test_reads_what_the_safetensors_package_writes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.standard_normal((3, 4)).astype(np.float32),
        "b": rng.integers(0, 9, 5),
        "c": np.float16(rng.standard_normal((2, 0, 3))),
        "d": np.array(True),
    }
    path = tmp_path / "x.safetensors"
    save_file(arrays, path, metadata={"made": "here"})
    file = read_safetensors(path)
    assert dict(file.metadata) == {"made": "here"}
    assert set(file.tensors) == set(arrays)
    raw = path.read_bytes()
    with safe_open(path, "numpy") as theirs:
        for name, entry in file.tensors.items():
            found = raw[entry.data.offset_bytes :][: entry.data.size_bytes]
            assert entry.shape == theirs.get_tensor(name).shape
            assert found == theirs.get_tensor(name).tobytes()


def packed(header: object, data: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def one(**changes: Any) -> bytes:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}
    return packed({"w": entry}, bytes(8))


BAD = {
    "empty": (b"", FormatError, "header length"),
    "long header": (struct.pack("<Q", 1 << 60) + b"{}", FormatError, "header length"),
    "no json": (packed(b"{]"), FormatError, "JSON"),
    "list": (packed([1]), FormatError, "object of tensors"),
    "deep": (packed(b"[" * 200000), FormatError, "JSON"),
    "long number": (packed(b'{"w":' + b"9" * 9999 + b"}"), FormatError, "JSON"),
    "twice": (packed(b'{"w":1,"w":2}'), FormatError, "a name twice"),
    "metadata": (packed({"__metadata__": {"a": 1}}), FormatError, "__metadata__"),
    "keys": (packed({"w": {"dtype": "F32"}}), FormatError, "'w'"),
    "type": (one(dtype="F7"), UnsupportedError, "'F7'"),
    "negative": (one(shape=[-2]), FormatError, "sizes"),
    "bool": (one(shape=[True, 2]), FormatError, "sizes"),
    "nine dims": (one(shape=[1] * 9), FormatError, "at most 8"),
    "huge": (one(shape=[1 << 62, 1 << 62]), FormatError, "for its shape"),
    "order": (one(data_offsets=[8, 0]), FormatError, "ordered"),
    "hole": (one(data_offsets=[4, 12]), FormatError, "offset"),
    "cut": (one()[:-1], FormatError, "file's end"),
    "more": (one() + b"x", FormatError, "file's end"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses_bad_files(tmp_path: Path, name: str) -> None:
    raw, error, text = BAD[name]
    path = tmp_path / "bad.safetensors"
    path.write_bytes(raw)
    with pytest.raises(error, match=text):
        read_safetensors(path)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_mutations_fail_cleanly(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(one())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "m.safetensors"
    path.write_bytes(raw)
    try:
        file = read_safetensors(path)
    except NetwrightError:
        return
    for entry in file.tensors.values():
        assert entry.data.offset_bytes + entry.data.size_bytes <= len(raw)


HF_NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "token_embd": "model.embed_tokens",
    "output_norm": "model.norm", "output": "lm_head",
}  # fmt: skip


def hf_name(name: str) -> str:
    *layer, part, kind = name.split(".")
    place = f"model.layers.{layer[1]}." if layer else ""
    return f"{place}{HF_NAMES[part]}.{kind}"


def halves_of_pairs(array: np.ndarray, heads: int) -> np.ndarray:
    """Undoes the order of llama's query and key rows in GGUF: pairs (2j, 2j+1) → two halves."""
    grouped = array.reshape(heads, -1, 2, array.shape[-1])
    return np.swapaxes(grouped, 1, 2).reshape(array.shape)


def write_folder(folder: Path, name: str, shards: int = 1, **changes: Any) -> Path:
    """The tiny model of an architecture as a Hugging Face folder."""
    folder.mkdir()
    layers, head, _ = tiny_models.ARCHITECTURES[name]
    arrays = {hf_name(n): a for n, a in tiny_models.arrays(name).items()}
    if name == "llama":
        for n, heads in ((n, HEADS if "q_proj" in n else KEY_HEADS) for n in list(arrays)):
            if "q_proj" in n or "k_proj" in n:
                arrays[n] = np.ascontiguousarray(halves_of_pairs(arrays[n], heads))
    config = {
        "model_type": name, "hidden_size": tiny_models.WIDTH, "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS, "head_dim": head, "num_hidden_layers": layers,
        "intermediate_size": tiny_models.HIDDEN, "max_position_embeddings": tiny_models.CONTEXT,
        "rms_norm_eps": 1e-6, "hidden_act": "silu", "tie_word_embeddings": name == "qwen3",
        "rope_theta": 50000.0 if name == "llama" else 1e6,
        "rope_scaling": {"rope_type": "linear", "factor": 2.0} if name == "qwen2" else None,
        **changes,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    if shards == 1:
        save_file(arrays, folder / "model.safetensors")
        return folder
    names = sorted(arrays)
    places = {n: f"model-{i % shards}.safetensors" for i, n in enumerate(names)}
    for file in set(places.values()):
        save_file({n: arrays[n] for n in names if places[n] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


@pytest.mark.parametrize(("name", "shards"), [("llama", 1), ("qwen2", 3), ("qwen3", 2)])
def test_decoders_equal_their_gguf(tmp_path: Path, name: str, shards: int) -> None:
    graph = load(write_folder(tmp_path / "hf", name, shards))
    other = load_gguf(tiny_models.write(tmp_path / "m.gguf", name))
    np.testing.assert_allclose(logits(graph), logits(other), rtol=1e-6, atol=1e-6)
    assert [n.repeat for n in graph.body if isinstance(n, Block)] == [3]


def test_llama3_scaling(tmp_path: Path) -> None:
    scaling = {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }  # fmt: skip
    folder = write_folder(tmp_path / "hf", "llama", rope_theta=500000.0, rope_scaling=scaling)
    graph = load(folder)
    factors = next(t for t in graph.tensors if t.name.endswith("rope_factors"))
    values = np.frombuffer(factors.data[0].raw, np.float32)  # type: ignore[union-attr]
    # Llama 3.1: fast pairs stay, slow ones are stretched 8 times, between them a smooth way
    assert values[0] == 1
    assert values[-1] == 8
    assert (np.diff(values) >= 0).all()
    # pair 5 of 8: 8192 * 500000^(-5/8) / 2 pi = 0.3584 turns, below 1: stretched; pair 4: 1.8438
    smooth = (8192 * 500000.0**-0.5 / (2 * np.pi) - 1) / 3
    np.testing.assert_allclose(values[4], 1 / ((1 - smooth) / 8 + smooth), rtol=1e-6)


def test_mistral_window(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "a", "llama", model_type="mistral", sliding_window=4)
    wide = write_folder(tmp_path / "b", "llama", model_type="mistral", sliding_window=64)
    plain = write_folder(tmp_path / "c", "llama")
    assert np.abs(logits(load(folder)) - logits(load(plain))).max() > 0.05
    np.testing.assert_array_equal(logits(load(wide)), logits(load(plain)))


def embed_in_torch(folder: Path, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """A plain float64 forward of BERT, mean pooling and normalisation, for one text."""
    with safe_open(folder / "model.safetensors", "pt") as file:
        w = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    w = {name: v.double() if v.is_floating_point() else v for name, v in w.items()}

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.layer_norm(x, (384,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-12)

    x = (
        w["embeddings.word_embeddings.weight"][ids]
        + w["embeddings.token_type_embeddings.weight"][0]
    )
    x = norm(x + w["embeddings.position_embeddings.weight"][: len(ids)], "embeddings.LayerNorm")
    for i in range(6):
        name = f"encoder.layer.{i}"
        parts = ("query", "key", "value")
        q, k, v = (
            linear(x, f"{name}.attention.self.{p}").view(-1, 12, 32).transpose(0, 1) for p in parts
        )
        mixed = torch.softmax(q @ k.transpose(1, 2) / 32**0.5, -1) @ v
        mixed = linear(mixed.transpose(0, 1).reshape(-1, 384), f"{name}.attention.output.dense")
        x = norm(x + mixed, f"{name}.attention.output.LayerNorm")
        units = functional.gelu(linear(x, f"{name}.intermediate.dense"))
        x = norm(x + linear(units, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    pooled = x.mean(0)
    return x.numpy(), (pooled / pooled.norm()).numpy()


@pytest.mark.network
def test_minilm_equals_a_plain_forward() -> None:
    folder = package_file("minilm")
    tokeniser = load_tokeniser(folder)
    texts = ["A man is eating food.", "A cat."]
    rows = [tokeniser.encode_prompt(text) for text in texts]
    length = max(map(len, rows))
    ids = np.array([row + [0] * (length - len(row)) for row in rows])
    mask = np.array([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    graph = load("minilm", dims={"batch": 2, "n_tokens": length})
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": ids * 0}
    out, _ = interpret(graph, inputs, {}, {})
    for i, row in enumerate(rows):
        hidden, sentence = embed_in_torch(folder, row)
        np.testing.assert_allclose(out["last_hidden_state"][i, : len(row)], hidden, atol=1e-10)
        np.testing.assert_allclose(out["sentence_embedding"][i], sentence, atol=1e-11)
    assert [n.repeat for n in graph.body if isinstance(n, Block)] == [6]


@pytest.mark.network
def test_refuses_variants(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "hf", "llama")
    config = json.loads((folder / "config.json").read_text())

    def becomes(error: type[Exception], text: str, **changes: Any) -> None:
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(error, match=text):
            load(folder)

    becomes(UnsupportedError, "'t5'; covered are llama", model_type="t5")
    becomes(UnsupportedError, "hidden_act is 'swish2'", hidden_act="swish2")
    becomes(UnsupportedError, "'yarn'; covered", rope_scaling={"rope_type": "yarn"})
    becomes(FormatError, "'hidden_size'.*expected an integer", hidden_size="64")
    becomes(FormatError, "shape", hidden_size=32, head_dim=16)
    becomes(UnsupportedError, "no place", num_hidden_layers=2)
    becomes(FormatError, "'factor'", rope_scaling={"rope_type": "linear"})
    becomes(FormatError, "factor 0.0, expected", rope_scaling={"type": "linear", "factor": 0})
    becomes(FormatError, "rope_theta is 0.0", rope_theta=0)
    llama3 = {"factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}
    llama3 |= {"original_max_position_embeddings": 8192}
    becomes(FormatError, "low below high", rope_scaling={"rope_type": "llama3", **llama3})
    (folder / "config.json").write_text("[1]")
    with pytest.raises(FormatError, match="expected a JSON object"):
        load(folder)
    (folder / "model.safetensors").unlink()
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(FormatError, match="neither"):
        load(folder)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../../x.safetensors"}}))
    with pytest.raises(FormatError, match=r"beside it"):
        load(folder)
    with pytest.raises(JobError, match="no context"):
        load("minilm", context=4)
    with pytest.raises(JobError, match="n_tokens = 600, expected"):
        load("minilm", dims={"n_tokens": 600})


@pytest.mark.network
def test_pooling_that_is_not_covered(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    for name in ("config.json", "modules.json"):
        shutil.copy(package_file("minilm") / name, folder)
    (folder / "model.safetensors").symlink_to(package_file("minilm") / "model.safetensors")
    (folder / "1_Pooling").mkdir()
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(UnsupportedError, match="covered are mean_tokens and cls_token"):
        load(folder, dims={"n_tokens": 4})
    pooling.write_text(json.dumps({"pooling_mode_cls_token": True}))
    graph = load(folder, dims={"n_tokens": 4})
    ids = np.array([[101, 2000, 2001, 102]])
    inputs = {"input_ids": ids, "attention_mask": ids * 0 + 1, "token_type_ids": ids * 0}
    out, _ = interpret(graph, inputs, {}, {})
    first = out["last_hidden_state"][0, 0]
    np.testing.assert_allclose(out["sentence_embedding"][0], first / np.linalg.norm(first))
