"""Recipe: a Python file that says what to train on what."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from netwright.errors import FormatError, JobError
from netwright.graph.graph import Graph

LARGEST_BYTES = 1 << 30


@final
@dataclass(frozen=True, slots=True)
class Recipe:
    """A network from `tokens` [batch, tokens] to logits, of one micro-batch, and a text."""

    network: Graph
    text: bytes


def load_recipe(path: Path, text: Path | None = None) -> Recipe:
    """Runs the file, which sets `network` (a Graph) and `text` (bytes, unless a file is given).

    Raises:
        FormatError: a file cannot be read.
        JobError: the file does not set what it must.
    """
    names = _run(path)
    network = _network(path, names)
    words = names.get("text") if text is None else _read(text)
    if not isinstance(words, bytes):
        raise JobError(f"{path}: sets no `text`, bytes; set it or give --text FILE")
    return Recipe(network, words)


def load_network(path: Path) -> Graph:
    """The network of a recipe alone; `text` need not be set.

    Raises:
        FormatError: the file cannot be read.
        JobError: it sets no `network`.
    """
    return _network(path, _run(path))


def _run(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FormatError(f"{path}: no such file; expected a Python file that sets `network`")
    try:
        return runpy.run_path(str(path))
    except SyntaxError as error:
        raise FormatError(f"{path}: not Python ({error})") from error


def _network(path: Path, names: dict[str, Any]) -> Graph:
    network = names.get("network")
    if not isinstance(network, Graph):
        raise JobError(f"{path}: sets no `network`, a Graph; got {type(network).__name__}")
    return network


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise FormatError(f"{path}: larger than {LARGEST_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
