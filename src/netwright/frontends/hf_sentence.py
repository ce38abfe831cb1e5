"""Hidden states → one vector a text, as modules.json describes it.

Source: `sentence-transformers` (Pooling, Normalize).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, final

from netwright.errors import FormatError, UnsupportedError
from netwright.frontends.hf_folder import Config, read_json, read_json_list
from netwright.graph.build import Builder
from netwright.graph.ops.elementwise import Binary, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.movement import Reshape, Slice
from netwright.graph.ops.norm import LpNorm
from netwright.graph.ops.reduce import Reduce
from netwright.graph.tensor import TensorId


@final
@dataclass(frozen=True, slots=True)
class PooledSizes:
    """The sizes of the hidden states [batch, tokens, width]."""

    batch: int
    tokens: int
    width: int


def sentence(
    b: Builder, folder: Path, x: TensorId, present: TensorId, sizes: PooledSizes
) -> TensorId:
    """What modules.json says is done with the hidden states."""
    kinds = _modules(folder)
    if kinds[:2] != ["Transformer", "Pooling"] or kinds[2:] not in ([], ["Normalize"]):
        raise UnsupportedError(
            f"{folder / 'modules.json'}: modules {kinds}; covered are Transformer, Pooling and "
            "Normalize in this order"
        )
    normal = kinds[2:] == ["Normalize"]
    name = "sentence" if normal else "sentence_embedding"
    x = _pool(b, folder, x, present, sizes, name)
    return b.add(LpNorm(1, 2), (x,), "sentence_embedding") if normal else x


def _modules(folder: Path) -> list[str]:
    path = folder / "modules.json"
    kinds: list[str] = []
    for module in read_json_list(path):
        kind = cast("dict[str, Any]", module).get("type") if isinstance(module, dict) else None
        if not isinstance(kind, str):
            raise FormatError(f"{path}: a module has no type; fetch the file again")
        kinds.append(kind.rsplit(".", 1)[-1])
    return kinds


def _pool(
    b: Builder, folder: Path, x: TensorId, present: TensorId, sizes: PooledSizes, name: str
) -> TensorId:
    path = folder / "1_Pooling" / "config.json"
    config = Config(path, read_json(path))
    modes = sorted(k for k, v in config.values.items() if k.startswith("pooling_mode_") and v)
    if modes == ["pooling_mode_cls_token"]:
        first = Slice((0, 0, 0), (sizes.batch, 1, sizes.width), (1, 1, 1))
        x = b.add(first, (x,), f"{name}.first")
        return b.add(Reshape((sizes.batch, sizes.width)), (x,), name)
    if modes != ["pooling_mode_mean_tokens"]:
        raise UnsupportedError(f"{path}: pooling {modes}; covered are mean_tokens and cls_token")
    column = b.add(Reshape((sizes.batch, sizes.tokens, 1)), (present,), f"{name}.present")
    kept = b.add(Binary("mul"), (x, column), f"{name}.kept")
    total = b.add(Reduce("sum", (1,)), (kept,), f"{name}.total")
    count = b.add(Reduce("sum", (1,), keepdims=True), (present,), f"{name}.count")
    least = b.add(Unary(Function("clip", 1e-9, 1e9)), (count,), f"{name}.count_at_least")
    return b.add(Binary("div"), (total, least), name)
