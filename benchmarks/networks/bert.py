"""MiniLM as ONNX, for runtimes that read nothing else: python -m benchmarks.networks.bert OUT.onnx.

Source of names and equations: `transformers` (modeling_bert.py). Output: the last hidden state.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn
from torch.nn import functional

from netwright.frontends.packages import package_file

OPSET = 17


class Bert(nn.Module):
    """A BERT encoder over its shipped tensors. Inputs int64 [batch, tokens]."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        config = json.loads((folder / "config.json").read_text())
        self.layers: int = config["num_hidden_layers"]
        self.heads: int = config["num_attention_heads"]
        self.epsilon: float = config["layer_norm_eps"]
        for name, value in load_file(folder / "model.safetensors").items():
            self.register_buffer(
                name.replace(".", "_"), value if value.dtype == torch.int64 else value.float()
            )

    def weight(self, name: str) -> Tensor:
        return getattr(self, name.replace(".", "_"))

    def linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"))

    def norm(self, x: Tensor, name: str) -> Tensor:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return functional.layer_norm(x, (x.shape[-1],), scale, bias, self.epsilon)

    def attend(self, x: Tensor, hidden: Tensor, name: str) -> Tensor:
        batch, tokens, width = x.shape
        split = (batch, tokens, self.heads, width // self.heads)
        parts = (
            self.linear(x, f"{name}.self.{part}").view(split).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        query, key, value = parts
        scores = query @ key.transpose(2, 3) * (width // self.heads) ** -0.5 + hidden
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, tokens, width)
        return self.norm(x + self.linear(mixed, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        x = functional.embedding(input_ids, self.weight("embeddings.word_embeddings.weight"))
        kinds = self.weight("embeddings.token_type_embeddings.weight")
        x = x + functional.embedding(token_type_ids, kinds)
        x = x + self.weight("embeddings.position_embeddings.weight")[: x.shape[1]]
        x = self.norm(x, "embeddings.LayerNorm")
        hidden = (attention_mask[:, None, None, :].float() - 1.0) * 1e9
        for i in range(self.layers):
            name = f"encoder.layer.{i}"
            x = self.attend(x, hidden, f"{name}.attention")
            up = functional.gelu(self.linear(x, f"{name}.intermediate.dense"))
            x = self.norm(x + self.linear(up, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        return x


def export_bert(path: Path, tokens: int) -> Path:
    """Writes MiniLM for texts of `tokens` tokens, unless it is there already."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    ones = torch.ones((1, tokens), dtype=torch.int64)
    with warnings.catch_warnings():
        # The exporter that needs no further package is the older one, and says so.
        warnings.simplefilter("ignore")
        torch.onnx.export(  # pyright: ignore[reportUnknownMemberType]
            Bert(package_file("minilm")).eval(),
            (ones, ones, ones),
            str(path),
            input_names=["input_ids", "attention_mask", "token_type_ids"],
            output_names=["last_hidden_state"],
            opset_version=OPSET,
            dynamo=False,
        )
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--tokens", type=int, default=128)
    given = parser.parse_args()
    print(export_bert(given.path, given.tokens))


if __name__ == "__main__":
    main()
