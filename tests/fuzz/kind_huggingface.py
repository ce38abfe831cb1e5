"""The files of a Hugging Face folder, one kind each; the others of the folder stay whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from netwright.frontends.hf import load_hf
from netwright.run.generate.huggingface import read_tokenizer_json

from .kind import Kind
from .mutate_json import mutate_json, mutate_safetensors

_WIDTH, _HIDDEN, _TOKENS = 16, 32, 24
_CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": _WIDTH,
    "intermediate_size": _HIDDEN,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "max_position_embeddings": 64,
    "vocab_size": _TOKENS,
    "tie_word_embeddings": True,
    "torch_dtype": "float32",
}


def _weights() -> dict[str, np.ndarray]:
    layer = "model.layers.0"
    shapes = {
        "model.embed_tokens.weight": (_TOKENS, _WIDTH),
        "model.norm.weight": (_WIDTH,),
        f"{layer}.input_layernorm.weight": (_WIDTH,),
        f"{layer}.post_attention_layernorm.weight": (_WIDTH,),
        f"{layer}.self_attn.q_proj.weight": (_WIDTH, _WIDTH),
        f"{layer}.self_attn.k_proj.weight": (_WIDTH // 2, _WIDTH),
        f"{layer}.self_attn.v_proj.weight": (_WIDTH // 2, _WIDTH),
        f"{layer}.self_attn.o_proj.weight": (_WIDTH, _WIDTH),
        f"{layer}.mlp.gate_proj.weight": (_HIDDEN, _WIDTH),
        f"{layer}.mlp.up_proj.weight": (_HIDDEN, _WIDTH),
        f"{layer}.mlp.down_proj.weight": (_WIDTH, _HIDDEN),
    }
    random = np.random.default_rng(0)
    return {name: random.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def _model(folder: Path) -> Path:
    model = folder / "model"
    model.mkdir(exist_ok=True)
    (model / "config.json").write_text(json.dumps(_CONFIG, indent=1))
    save_file(_weights(), model / "model.safetensors")
    return model


def _with(path: Path, name: str) -> Path:
    """The model's folder with this file in place of its own."""
    model = path.parent / "model"
    # A new file: the bytes of an earlier case may still be mapped.
    (model / name).unlink(missing_ok=True)
    shutil.copy(path, model / name)
    return model


def _config_seeds(folder: Path) -> list[Path]:
    return [Path(shutil.copy(_model(folder) / "config.json", folder / "seed.json"))]


def _load_config(path: Path) -> None:
    load_hf(_with(path, "config.json"))


def _weight_seeds(folder: Path) -> list[Path]:
    return [Path(shutil.copy(_model(folder) / "model.safetensors", folder / "seed.safetensors"))]


def _load_weights(path: Path) -> None:
    load_hf(_with(path, "model.safetensors"))


def _tokeniser_seeds(folder: Path) -> list[Path]:
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    words = [*letters, "\u0120", "ab", "abc"]
    vocabulary = {word: i for i, word in enumerate(words)}
    tokeniser = Tokenizer(BPE(vocab=vocabulary, merges=[("a", "b"), ("ab", "c")]))
    tokeniser.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokeniser.decoder = ByteLevelDecoder()
    tokeniser.add_special_tokens(["<s>", "</s>"])
    path = folder / "seed.tokenizer.json"
    tokeniser.save(str(path))
    return [path]


def _load_tokeniser(path: Path) -> None:
    tokeniser = read_tokenizer_json(path)
    tokeniser.decode(tokeniser.encode_prompt("abc de<s>"))


CONFIG = Kind("config", ".json", _config_seeds, _load_config, edit=mutate_json)
SAFETENSORS = Kind(
    "safetensors", ".safetensors", _weight_seeds, _load_weights, edit=mutate_safetensors
)
TOKENIZER = Kind("tokenizer", ".json", _tokeniser_seeds, _load_tokeniser, edit=mutate_json)
