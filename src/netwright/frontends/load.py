"""`load`: a network from a file, a folder, or the name of one that a package ships."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netwright.errors import FormatError, JobError
from netwright.frontends.gguf import load_gguf
from netwright.frontends.hf import load_hf
from netwright.frontends.locate import absent
from netwright.frontends.nir import load_nir
from netwright.frontends.onnx import load_onnx
from netwright.frontends.packages import SHIPPED, package_file
from netwright.frontends.refused import PICKLE_SUFFIXES, refuse_pickle, shipped_pickle
from netwright.graph.graph import Graph


def load(
    source: str | Path,
    *,
    dims: Mapping[str, int] | None = None,
    context: int | None = None,
    dt_seconds: float | None = None,
) -> Graph:
    """The network of a file (.gguf, .onnx, .nir, .safetensors), of a folder with config.json, or of
    the name of one that a package ships ("smollm2", "minilm", ...).

    `dims` binds the symbolic sizes of an ONNX network or of an encoder, and steps and batch of a
    spiking one; `context` lowers how many tokens a language model's caches hold; `dt_seconds` is
    a step of a spiking network.

    Raises:
        FormatError: there is no such file or name, it is damaged, or it is refused (pickles).
        UnsupportedError: well formed, but holds what we do not cover.
        JobError: `dims` or `context` do not fit the network.
    """
    path = Path(source)
    if isinstance(source, str) and source in SHIPPED and not path.exists():
        path = package_file(source)
        if path.suffix in PICKLE_SUFFIXES:
            raise shipped_pickle(source, path)
        dims = {**dict(SHIPPED[source].dims), **(dims or {})}
    _check(path)
    if path.is_dir():
        return load_hf(path, dims=dims, context=context)
    head = _head(path)
    suffix = path.suffix.lower()
    if head.startswith(b"GGUF") or suffix == ".gguf":
        if dims:
            raise JobError(f"{path}: a GGUF network has no dims to bind; give context instead")
        return load_gguf(path, context=context)
    refuse_pickle(path, head)
    if suffix == ".nir":
        return load_nir(path, dims or {}, dt_seconds)
    if suffix == ".safetensors":
        if path.name != "model.safetensors":
            raise FormatError(
                f"{path}: weights alone are no network; give the folder that has config.json, "
                "with the weights in model.safetensors or in the shards of its index"
            )
        return load_hf(path.parent, dims=dims, context=context)
    if suffix == ".onnx":
        if context is not None:
            raise JobError(f"{path}: an ONNX network has no context; give dims instead")
        return load_onnx(path, dims or {})
    raise FormatError(
        f"{path}: got a file that begins with {head[:8]!r}, expected .gguf, .onnx, .nir, "
        f".safetensors or a folder with config.json; or one of {', '.join(SHIPPED)}"
    )


def _check(path: Path) -> None:
    if path.is_dir() and not (path / "config.json").is_file():
        raise FormatError(f"{path}: a folder without config.json; give a file or a model's folder")
    if not path.exists():
        raise absent(path)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from None
