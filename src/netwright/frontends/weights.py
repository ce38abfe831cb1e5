"""The tensors of a model's files as stored weights, each checked against its expected shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from netwright.errors import FormatError, UnsupportedError
from netwright.frontends.decoder import Product, Stored
from netwright.graph.format import format_of
from netwright.graph.tensor import FileData


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor as its file lists it: row-major shape, our format's name, and its bytes."""

    shape: tuple[int, ...]
    format: str
    data: FileData


@final
class Weights:
    """Hands out weights by name, and knows which were never asked for."""

    __slots__ = ("_entries", "_left", "_source")

    def __init__(self, source: str, entries: Mapping[str, Entry]) -> None:
        """`source` names the file or folder for errors."""
        self._source = source
        self._entries = entries
        self._left = set(entries)

    def find(self, name: str, shape: tuple[int | None, ...]) -> Stored | None:
        """The tensor of this name, None where there is none; a size of None fits any.

        Raises:
            FormatError: it has another shape.
            UnsupportedError: it has a format that is not covered.
        """
        entry = self._entries.get(name)
        if entry is None:
            return None
        pairs = zip(entry.shape, shape, strict=False)
        if len(entry.shape) != len(shape) or any(e not in (None, g) for g, e in pairs):
            raise FormatError(
                f"{self._source}: tensor {name!r} has shape {entry.shape}, expected "
                f"{tuple('any' if e is None else e for e in shape)}; convert the model anew"
            )
        try:
            form = format_of(entry.format)
        except UnsupportedError as error:
            raise UnsupportedError(
                f"{self._source}: tensor {name!r}: {error}; convert the model to one of them"
            ) from None
        self._left.discard(name)
        return Stored(name, entry.shape, form, entry.data)

    def _required(self, name: str, shape: tuple[int | None, ...]) -> Stored:
        found = self.find(name, shape)
        if found is None:
            raise FormatError(
                f"{self._source}: the tensor {name!r} is missing; convert the model anew"
            )
        return found

    def vector(self, name: str, size: int) -> Stored:
        """The tensor of this name, which must be there with this shape; see `find`."""
        return self._required(name, (size,))

    def matrix(self, name: str, outputs: int | None, inputs: int) -> Stored:
        """The tensor of this name, which must be there with this shape; see `find`."""
        return self._required(name, (outputs, inputs))

    def product(self, name: str, outputs: int | None, inputs: int) -> Product:
        """`name.weight`, and `name.bias` where there is one."""
        weight = self.matrix(f"{name}.weight", outputs, inputs)
        return Product(weight, self.find(f"{name}.bias", weight.shape[:1]))

    def all_used(self, ignored: Iterable[str] = ()) -> None:
        """Refuses tensors that the graph would silently leave out; `ignored` are ends of names.

        Raises:
            UnsupportedError: names the first of them.
        """
        ends = tuple(ignored)
        left = sorted(name for name in self._left if not name.endswith(ends))
        if left:
            raise UnsupportedError(
                f"{self._source}: {len(left)} tensors have no place in this architecture, the "
                f"first is {left[0]!r}; the model is a variant that is not covered"
            )
