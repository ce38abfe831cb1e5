"""What a source is: text or arrays, and its inputs; read once a file, then kept."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, final

from netwright.path import later
from netwright.path.identity import code_identity, source_identity
from netwright.path.keep import digest, keep_json, kept_json
from netwright.path.python import is_python


@final
@dataclass(frozen=True, slots=True)
class Description:
    """`inputs`: name → sizes, each a number or the name by which it can be bound."""

    is_language_model: bool
    inputs: Mapping[str, tuple[int | str, ...]]


def describe(source: str) -> Description:
    """What a source is.

    Raises:
        FormatError: there is none, or it is damaged.
    """
    if source.lower().endswith(".gguf"):
        return Description(True, {})
    if is_python(source):
        return Description(False, {})
    key = digest("description", source_identity(source), code_identity())
    kept = kept_json(key)
    found = None if kept is None else _read(kept)
    if found is not None:
        return found
    made = Description(later.is_language_model(source), later.input_sizes(source))
    with suppress(OSError):  # it is only made again
        keep_json(key, {"text": made.is_language_model, "inputs": dict(made.inputs)})
    return made


def _read(kept: Mapping[str, Any]) -> Description | None:
    try:
        inputs = {str(n): tuple(_size(s) for s in sizes) for n, sizes in kept["inputs"].items()}
        return Description(bool(kept["text"]), inputs)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _size(value: Any) -> int | str:
    return value if isinstance(value, str) else int(value)
