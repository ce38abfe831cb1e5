"""File → plain data: YAML read safely (no aliases, no tags, bounded), with `extends` applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from netwright.errors import MachineError

# The largest file read and the deepest nesting in it: a machine needs a few KiB and 5 levels.
# PyYAML reads some 50 KiB a second, so this is also what holds the time.
MOST_BYTES = 64 * 1024
MOST_DEPTH = 16
MOST_EXTENDS = 8
MOST_SCALAR = 4096  # characters of one value

Document = dict[str, Any]


class BoundedLoader(yaml.SafeLoader):
    """YAML without aliases (so no expansion bombs), duplicate keys or deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):  # pyright: ignore[reportUnknownMemberType]
            raise yaml.YAMLError("an alias (*name) is not allowed: write the value out")
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise yaml.YAMLError(f"nested deeper than {MOST_DEPTH} levels")
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.ScalarNode) and len(node.value) > MOST_SCALAR:
            raise yaml.YAMLError(f"a value longer than {MOST_SCALAR} characters")
        self.depth -= 1
        if isinstance(node, yaml.MappingNode):
            keys = Counter(k.value for k, _ in node.value if isinstance(k, yaml.ScalarNode))
            twice = [key for key, count in keys.items() if count > 1]
            if twice:
                raise yaml.YAMLError(f"key {min(twice)!r} stands twice in one mapping")
        return node


def parse(text: str, where: str) -> Document:
    """One YAML mapping.

    Raises:
        MachineError: too large, not YAML, or not a mapping; names `where`.
    """
    if len(text) > MOST_BYTES:
        raise MachineError(
            f"{where}: {len(text)} characters; a machine file has at most {MOST_BYTES}"
        )
    try:
        loaded: object = yaml.load(text, Loader=BoundedLoader)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise MachineError(f"{where}: not a readable YAML file: {error}; mend it there") from error
    if not isinstance(loaded, dict):
        got = type(loaded).__name__
        raise MachineError(f"{where}: got a {got}, expected a mapping with name, kind, units, ...")
    return cast(Document, loaded)


def read(path: Path) -> Document:
    """The mapping in a file.

    Raises:
        MachineError: the file cannot be read, is too large or is no YAML mapping.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise MachineError(f"{path}: cannot be read: {error.strerror}; check the path") from error
    if len(raw) > MOST_BYTES:
        raise MachineError(f"{path}: larger than {MOST_BYTES} bytes; a machine file is a few KiB")
    try:
        return parse(raw.decode(), str(path))
    except UnicodeDecodeError as error:
        raise MachineError(
            f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8"
        ) from error


def read_extended(path: Path, library: Mapping[str, Path], depth: int = 0) -> Document:
    """The mapping in a file laid over the machine that it `extends` (a library name or a file).

    Raises:
        MachineError: a file is bad, or the chain of `extends` is unknown, circular or too long.
    """
    document = read(path)
    parent = document.pop("extends", None)
    if parent is None:
        return document
    if depth >= MOST_EXTENDS:
        raise MachineError(f"{path}: extends: more than {MOST_EXTENDS} in a row; is it circular?")
    if not isinstance(parent, str):
        raise MachineError(f"{path}: extends: got {parent!r}, expected a machine name or a file")
    base = library.get(parent) or path.parent / parent
    if not base.is_file():
        raise MachineError(
            f"{path}: extends: {parent!r} is neither a machine of the library nor a file beside "
            f"this one; `netwright machine list` shows the names"
        )
    return overlay(read_extended(base, library, depth + 1), document)


def overlay(base: Document, over: Document) -> Document:
    """`over` on `base`: mappings merge, lists of named sections merge by name, others replace."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            result[key] = overlay(cast(Document, below), cast(Document, value))
        elif isinstance(below, list) and isinstance(value, list):
            result[key] = _merge_named(cast(list[Any], below), cast(list[Any], value))
            if key == "axes":  # outermost first: what a file says comes before what it extends
                result[key] = _first(result[key], cast(list[Any], value))
        else:
            result[key] = value
    return result


def _merge_named(base: list[Any], over: list[Any]) -> list[Any]:
    below, above = _named(base), _named(over)
    if below is None or above is None:
        return over
    result = dict(below)
    for name, item in above.items():
        result[name] = overlay(result.get(name, {}), item)
    return list(result.values())


def _first(merged: list[Any], over: list[Any]) -> list[Any]:
    """The sections that `over` names in its order, then the others."""
    every, names = _named(merged), _named(over)
    if every is None or names is None:
        return merged
    return [every[name] for name in (*names, *(name for name in every if name not in names))]


def _named(items: list[Any]) -> dict[str, Document] | None:
    """Sections by name, when every one is a mapping that has a name."""
    result: dict[str, Document] = {}
    for item in items:
        if not isinstance(item, dict):
            return None
        section = cast(Document, item)
        if not isinstance(section.get("name"), str):
            return None
        result[section["name"]] = section
    return result
