"""A Hugging Face model folder → Graph, by its `model_type`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netwright.errors import JobError, UnsupportedError
from netwright.frontends.hf_bert import load_hf_bert
from netwright.frontends.hf_decoder import DECODERS, load_hf_decoder
from netwright.frontends.hf_folder import read_config
from netwright.graph.graph import Graph


def load_hf(
    folder: Path, *, dims: Mapping[str, int] | None = None, context: int | None = None
) -> Graph:
    """The network of a folder; `dims` binds an encoder's sizes, `context` a decoder's length.

    Raises:
        FormatError: a file is damaged, or a key or tensor is missing or of another shape.
        UnsupportedError: a model type or a variant that is not covered.
        JobError: a size is given that the model does not have, or is out of range.
    """
    config = read_config(folder)
    kind = config.text("model_type")
    if kind in DECODERS:
        if dims:
            raise JobError(f"{folder}: a {kind} has no dims to bind; give context instead")
        return load_hf_decoder(folder, context=context)
    if kind == "bert":
        if context is not None:
            raise JobError(f"{folder}: a bert has no context; give dims (batch, n_tokens) instead")
        return load_hf_bert(folder, dims or {})
    raise UnsupportedError(
        f"{config.path}: model_type is {kind!r}; covered are {', '.join((*DECODERS, 'bert'))}; "
        "export the model to ONNX instead"
    )
