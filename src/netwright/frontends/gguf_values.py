"""Values of GGUF metadata: strings stay in the file until they are asked for."""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Iterator, Sequence
from typing import TypeAlias, final, overload

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError


def checked_text(raw: bytes, where: str) -> str:
    """UTF-8 text, or a FormatError that says where."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"{where}: not UTF-8 ({error.reason} at byte {error.start})") from None


@final
class Strings(Sequence[str]):
    """An array of strings inside the file, decoded when one is asked for."""

    __slots__ = ("_buffer", "_starts", "_where")

    def __init__(self, buffer: mmap.mmap, starts: array[int], where: str) -> None:
        # starts[i] is where string i's bytes begin; 8 bytes of length stand before each.
        self._buffer = buffer
        self._starts = starts
        self._where = where

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        raw = self._buffer[self._starts[index] : self._starts[index + 1] - 8]
        return checked_text(raw, f"{self._where}[{index}]")

    def __iter__(self) -> Iterator[str]:
        starts, buffer = self._starts, self._buffer
        try:
            for i in range(len(starts) - 1):
                yield buffer[starts[i] : starts[i + 1] - 8].decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"{self._where}: a string is not UTF-8 ({error.reason})") from None


Numbers: TypeAlias = NDArray[np.generic]
Value: TypeAlias = "int | float | bool | str | Strings | Numbers | tuple[Value, ...]"
