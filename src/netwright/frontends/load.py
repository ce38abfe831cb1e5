"""`load`: a network from a file, a folder, or the name of one that a package ships."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

from netwright.errors import FormatError, JobError
from netwright.frontends.gguf import load_gguf
from netwright.frontends.hf import load_hf
from netwright.frontends.packages import SHIPPED, package_file
from netwright.frontends.refused import refuse_pickle
from netwright.graph.graph import Graph

# Readers that are loaded only when they are needed: suffix → module, function(path, dims).
_LAZY: Final = {".onnx": ("netwright.frontends.onnx", "load_onnx")}


def load(
    source: str | Path, *, dims: Mapping[str, int] | None = None, context: int | None = None
) -> Graph:
    """The network of a file (.gguf, .onnx, .safetensors), of a folder with config.json, or of the
    name of one that a package ships ("smollm2", "minilm", ...).

    `dims` binds the symbolic sizes of an ONNX network or of an encoder; `context` lowers how many
    tokens a language model's caches hold.

    Raises:
        FormatError: there is no such file or name, it is damaged, or it is refused (pickles).
        UnsupportedError: well formed, but holds what we do not cover.
        JobError: `dims` or `context` do not fit the network.
    """
    path = _find(source)
    if path.is_dir():
        return load_hf(path, dims=dims, context=context)
    head = _head(path)
    suffix = path.suffix.lower()
    if head.startswith(b"GGUF") or suffix == ".gguf":
        if dims:
            raise JobError(f"{path}: a GGUF network has no dims to bind; give context instead")
        return load_gguf(path, context=context)
    refuse_pickle(path, head)
    if suffix == ".safetensors":
        return load_hf(path.parent, dims=dims, context=context)
    if suffix in _LAZY:
        if context is not None:
            raise JobError(f"{path}: an ONNX network has no context; give dims instead")
        module, function = _LAZY[suffix]
        graph: Graph = getattr(import_module(module), function)(path, dims or {})
        return graph
    raise FormatError(
        f"{path}: got a file that begins with {head[:8]!r}, expected .gguf, .onnx, .safetensors "
        f"or a folder with config.json; or one of {', '.join(SHIPPED)}"
    )


def _find(source: str | Path) -> Path:
    if isinstance(source, str) and source in SHIPPED and not Path(source).exists():
        return package_file(source)
    path = Path(source)
    if path.is_dir() and not (path / "config.json").is_file():
        raise FormatError(f"{path}: a folder without config.json; give a file or a model's folder")
    if not path.exists():
        raise FormatError(
            f"{path}: there is no such file; give a path, or one of {', '.join(SHIPPED)}"
        )
    return path


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from None
