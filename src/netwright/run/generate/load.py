"""The tokeniser and the chat template that belong to a model's file or folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from netwright.errors import UnsupportedError
from netwright.frontends.gguf_file import GgufFile, read_gguf
from netwright.frontends.gguf_keys import Keys
from netwright.frontends.gguf_values import Strings
from netwright.frontends.hf_folder import read_json
from netwright.run import later
from netwright.run.generate.byte_level import read_byte_level
from netwright.run.generate.huggingface import read_tokenizer_json
from netwright.run.generate.sentencepiece import read_sentencepiece
from netwright.run.generate.tokeniser import Tokeniser

if TYPE_CHECKING:
    from netwright.run.generate.chat import ChatTemplate

READERS: Final[Mapping[str, Callable[[GgufFile], Tokeniser]]] = MappingProxyType(
    {"gpt2": read_byte_level, "llama": read_sentencepiece}
)

# A template's name for a token → the key that holds its id.
_TOKEN_KEYS: Final = MappingProxyType(
    {
        "bos_token": "tokenizer.ggml.bos_token_id",
        "eos_token": "tokenizer.ggml.eos_token_id",
        "unk_token": "tokenizer.ggml.unknown_token_id",
        "pad_token": "tokenizer.ggml.padding_token_id",
    }
)


def load_tokeniser(path: Path) -> Tokeniser:
    """The tokeniser of a .gguf file, or of a model folder (or a file in it) by tokenizer.json.

    Raises:
        FormatError: it is missing, damaged or contradicts itself.
        UnsupportedError: a tokeniser that is not covered.
    """
    if path.suffix == ".gguf":
        return gguf_tokeniser(read_gguf(path))
    folder = _folder(path)
    return read_tokenizer_json(folder / "tokenizer.json", _stop_ids(folder))


def load_chat_template(path: Path) -> ChatTemplate | None:
    """The chat template of a .gguf file, or of a model folder by tokenizer_config.json.

    None where the model has none.

    Raises:
        FormatError: it is too large or not valid.
    """
    if path.suffix == ".gguf":
        return gguf_chat_template(read_gguf(path))
    config = _folder(path) / "tokenizer_config.json"
    if not config.is_file():
        return None
    values = read_json(config)
    text = values.get("chat_template")
    names = {name: _token_text(values.get(name)) for name in _TOKEN_KEYS}
    known = {name: token for name, token in names.items() if token is not None}
    return later.ChatTemplate(text, known, str(config)) if isinstance(text, str) else None


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
        for name, key in _TOKEN_KEYS.items():
            if keys.has(key):
                names[name] = tokens[keys.integer(key, 0, len(tokens) - 1)]
    return later.ChatTemplate(text, names, str(file.path)) if text else None


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _stop_ids(folder: Path) -> frozenset[int]:
    """The end ids of generation_config.json, or else of config.json."""
    for name in ("generation_config.json", "config.json"):
        path = folder / name
        value = read_json(path).get("eos_token_id") if path.is_file() else None
        ids = cast("list[Any]", value) if isinstance(value, list) else [value]
        found = frozenset(i for i in ids if isinstance(i, int))
        if found:
            return found
    return frozenset()


def _token_text(value: Any) -> str | None:
    """A token as tokenizer_config.json writes it: its text, or an object that has it."""
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("content")
    return value if isinstance(value, str) else None
