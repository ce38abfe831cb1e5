"""What a source is, without reading all of it: where it lies, its kind, its free sizes."""

from __future__ import annotations

from pathlib import Path

from netwright.frontends.hf_decoder import DECODERS
from netwright.frontends.hf_folder import read_config
from netwright.frontends.locate import locate
from netwright.frontends.onnx import onnx_inputs


def is_language_model(source: str | Path) -> bool:
    """Whether it generates text: a GGUF file, or a folder whose model type is a decoder."""
    path = locate(source)
    if path.suffix.lower() == ".gguf":
        return True
    folder = path.parent if path.suffix == ".safetensors" else path
    if not (folder.is_dir() and (folder / "config.json").is_file()):
        return False
    return read_config(folder).text("model_type") in DECODERS


def input_sizes(source: str | Path) -> dict[str, tuple[int | str, ...]]:
    """Inputs of an ONNX network: each size a number, or the name by which it can be bound."""
    path = locate(source)
    if path.suffix.lower() != ".onnx":
        return {}
    return {
        found.name: tuple(
            key if size is None else size for size, key in zip(found.dims, found.keys, strict=True)
        )
        for found in onnx_inputs(path)
    }
