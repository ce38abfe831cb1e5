"""NIR files as plain values: HDF5 read with every size checked before anything is read.

Links out of the file, virtual and external data, and compound or object types are refused; nothing
is ever executed or unpickled. Layout: that of the package nir (Pedersen et al., Nature
Communications 15, 2024).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError, UnsupportedError

Value: TypeAlias = "NDArray[Any] | str"
MOST_NODES = 10_000
MOST_NUMBERS = 1 << 28  # of all arrays together: 1 GiB in fp32
MOST_TEXT = 1 << 16
MOST_DEPTH = 16  # of graphs inside graphs
PASSES = "passes"  # the type of what was an input or output of a graph inside
_COMMAND = "pip install 'netwright[spiking]'"


@final
@dataclass(frozen=True, slots=True, eq=False)
class NirNode:
    """One node: its type ("LIF"), its values by name, and what our own writer noted."""

    name: str
    type: str
    values: Mapping[str, Value]
    note: str | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class NirFile:
    """Nodes by name, and edges between them."""

    nodes: Mapping[str, NirNode]
    edges: tuple[tuple[str, str], ...]


def hdf5(where: str) -> Any:
    """The h5py module.

    Raises:
        UnsupportedError: it is not installed; has the command.
    """
    try:
        return import_module("h5py")
    except ImportError:
        raise UnsupportedError(f"{where}: NIR files are HDF5; run: {_COMMAND}") from None


def read_nir(path: Path) -> NirFile:
    """The nodes and edges of a file.

    Raises:
        FormatError: no HDF5, damaged, too large, or links out of the file.
        UnsupportedError: a graph inside the graph has several ways in or out that an edge does
            not tell apart; or h5py is not installed.
    """
    h5py = hdf5(str(path))
    try:
        with h5py.File(path, "r") as file:
            return _Reader(h5py, str(path)).graph(file)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, UnicodeError) as error:
        raise FormatError(f"{path}: not a whole NIR file ({error}); write it anew") from error


class _Reader:
    """Reads one file, counting what it takes."""

    def __init__(self, h5py: Any, where: str) -> None:
        self._h5py, self._where = h5py, where
        self._left = MOST_NUMBERS

    def graph(self, file: Any) -> NirFile:
        root = self._group(file, "node")
        if self._text(root, "type") != "NIRGraph":
            raise FormatError(f"{self._where}: the root is no NIRGraph; write the whole graph")
        nodes: dict[str, NirNode] = {}
        return NirFile(nodes, self._inlined(root, nodes, "", 0))

    def _inlined(
        self, root: Any, nodes: dict[str, NirNode], prefix: str, depth: int
    ) -> tuple[tuple[str, str], ...]:
        """The edges of a graph; its nodes, and those of graphs inside it, come to `nodes`."""
        inside = self._group(root, "nodes")
        if len(inside) + len(nodes) > MOST_NODES or depth > MOST_DEPTH:
            raise FormatError(
                f"{self._where}: {len(inside) + len(nodes)} nodes, {depth} graphs deep; at most "
                f"{MOST_NODES} and {MOST_DEPTH} are read"
            )
        edges: list[tuple[str, str]] = []
        ways: dict[str, tuple[list[str], list[str]]] = {}
        own: set[str] = set()
        for key in map(str, inside):
            name = f"{prefix}{key}"
            group = self._group(inside, key)
            if self._text(group, "type") == "NIRGraph":
                before = len(nodes)
                edges += self._inlined(group, nodes, f"{name}.", depth + 1)
                ways[name] = self._ways(nodes, list(nodes)[before:], name)
                continue
            if name in nodes:
                raise FormatError(f"{self._where}: two nodes are called {name!r}")
            nodes[name] = self._node(group, name)
            own.add(name)
        for a, b in self._edges(root):
            first, last = f"{prefix}{a}", f"{prefix}{b}"
            for end in (first, last):
                if end not in own and end not in ways and end not in nodes:
                    raise FormatError(f"{self._where}: an edge names {end!r}, which is no node")
            edges.append((self._way(ways, first, 1), self._way(ways, last, 0)))
        return tuple(edges)

    def _edges(self, root: Any) -> list[tuple[str, str]]:
        edges = self._dataset(root, "edges")
        if edges.ndim != 2 or edges.shape[1] != 2:
            if edges.size == 0:
                return []
            raise FormatError(f"{self._where}: edges have shape {edges.shape}, expected [edges, 2]")
        self._take(edges.size, "edges")
        return [(_decoded(a), _decoded(b)) for a, b in edges[()]]

    def _ways(
        self, nodes: dict[str, NirNode], names: list[str], graph: str
    ) -> tuple[list[str], list[str]]:
        """Inputs and outputs of a graph inside; they become places where values pass."""
        own = [n for n in names if n.rpartition(".")[0] == graph]
        ways = tuple([n for n in own if nodes[n].type == end] for end in ("Input", "Output"))
        for name in (*ways[0], *ways[1]):
            nodes[name] = NirNode(name, PASSES, {})
        return ways[0], ways[1]

    def _way(self, ways: Mapping[str, tuple[list[str], list[str]]], end: str, side: int) -> str:
        """The node that an edge to or from a graph inside means."""
        if end not in ways:
            return end
        found = ways[end][side]
        if len(found) != 1:
            raise UnsupportedError(
                f"{self._where}: graph {end!r} inside the graph has {len(found)} "
                f"{('inputs', 'outputs')[side]}, and an edge names the graph; name one of {found}"
            )
        return found[0]

    def _node(self, group: Any, name: str) -> NirNode:
        kind = self._text(group, "type")
        values: dict[str, Value] = {}
        note = None
        for key in map(str, group):
            if key == "metadata":
                note = self._note(self._group(group, key))
            elif key not in ("type", "input_type", "output_type"):
                values[key] = self._value(group, key, f"{name}.{key}")
        if kind == "Flatten" and "input_type" in group:
            values["input_type"] = self._value(group, "input_type", f"{name}.input_type")
        return NirNode(name, kind, values, note)

    def _note(self, group: Any) -> str | None:
        return self._text(group, "netwright") if "netwright" in group else None

    def _item(self, group: Any, key: str) -> Any:
        link = group.get(key, getlink=True)
        if not isinstance(link, self._h5py.HardLink):
            raise FormatError(f"{self._where}: {key!r} is missing or a link to elsewhere: refused")
        return group[key]

    def _group(self, group: Any, key: str) -> Any:
        found = self._item(group, key)
        if not isinstance(found, self._h5py.Group):
            raise FormatError(f"{self._where}: {key!r} is not a group; write the file anew")
        return found

    def _dataset(self, group: Any, key: str) -> Any:
        found = self._item(group, key)
        if not isinstance(found, self._h5py.Dataset) or found.is_virtual or found.external:
            raise FormatError(f"{self._where}: {key!r} is no plain data of this file: refused")
        return found

    def _take(self, numbers: int, what: str) -> None:
        self._left -= max(int(numbers), 1)
        if self._left < 0:
            raise FormatError(f"{self._where}: {what}: more than {MOST_NUMBERS} numbers in all")

    def _text(self, group: Any, key: str) -> str:
        found = self._dataset(group, key)
        if found.shape != ():
            raise FormatError(f"{self._where}: {key!r} is not one text")
        return _decoded(found[()])

    def _value(self, group: Any, key: str, what: str) -> Value:
        found = self._dataset(group, key)
        if self._h5py.check_string_dtype(found.dtype) is not None:
            return self._text(group, key)
        if found.dtype.kind not in "fiub" or found.ndim > 6 or found.shape is None:
            raise FormatError(f"{self._where}: {what}: type {found.dtype}, expected numbers")
        self._take(found.size, what)
        array = np.asarray(found[()])
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise FormatError(f"{self._where}: {what}: holds infinities or not-a-numbers")
        return array.astype(np.float64) if array.dtype.kind == "f" else array.astype(np.int64)


def _decoded(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise FormatError(f"a text was expected, got {str(value)[:40]!r}")
    return value
