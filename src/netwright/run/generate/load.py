"""The tokeniser and the chat template that belong to a model file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from netwright.errors import UnsupportedError
from netwright.frontends.gguf_file import GgufFile, read_gguf
from netwright.frontends.gguf_keys import Keys
from netwright.frontends.gguf_values import Strings
from netwright.run.generate.byte_level import read_byte_level
from netwright.run.generate.chat import ChatTemplate
from netwright.run.generate.huggingface import read_tokenizer_json
from netwright.run.generate.sentencepiece import read_sentencepiece
from netwright.run.generate.tokeniser import Tokeniser

READERS: Final[Mapping[str, Callable[[GgufFile], Tokeniser]]] = MappingProxyType(
    {"gpt2": read_byte_level, "llama": read_sentencepiece}
)


def gguf_tokeniser(file: GgufFile) -> Tokeniser:
    """The tokeniser inside a GGUF file.

    Raises:
        FormatError: its keys are missing or contradict each other.
        UnsupportedError: a tokeniser model that is not in the table.
    """
    model = Keys(file).text("tokenizer.ggml.model")
    reader = READERS.get(model)
    if reader is None:
        raise UnsupportedError(
            f"{file.path}: tokenizer.ggml.model is {model!r}; known are {', '.join(READERS)}; "
            "give token ids instead of text"
        )
    return reader(file)


def load_tokeniser(path: Path) -> Tokeniser:
    """The tokeniser of a .gguf file, or of a folder (or safetensors file) beside tokenizer.json."""
    if path.suffix == ".gguf":
        return gguf_tokeniser(read_gguf(path))
    folder = path if path.is_dir() else path.parent
    return read_tokenizer_json(folder / "tokenizer.json")


def gguf_chat_template(file: GgufFile) -> ChatTemplate | None:
    """The chat template inside a GGUF file; None where it has none.

    Raises:
        FormatError: it is too large or not valid.
    """
    keys = Keys(file)
    text = keys.text("tokenizer.chat_template", "")
    tokens = file.metadata.get("tokenizer.ggml.tokens")
    names: dict[str, str] = {}
    if isinstance(tokens, Strings):
        for which in ("bos", "eos", "unk", "pad"):
            key = {"unk": "unknown", "pad": "padding"}.get(which, which)
            key = f"tokenizer.ggml.{key}_token_id"
            if keys.has(key):
                names[f"{which}_token"] = tokens[keys.integer(key, 0, len(tokens) - 1)]
    return ChatTemplate(text, names, str(file.path)) if text else None
