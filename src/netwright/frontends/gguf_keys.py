"""Metadata of a GGUF file by key, with the type that the caller expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from netwright.errors import FormatError
from netwright.frontends.gguf_file import GgufFile
from netwright.frontends.gguf_values import Numbers, Strings, Value


@final
@dataclass(frozen=True, slots=True)
class Keys:
    """Typed access to the metadata; every error names the file and the key.

    A method with a `default` returns it where the key is missing; without one the key is required.
    """

    file: GgufFile

    def has(self, key: str) -> bool:
        return key in self.file.metadata

    def required(self, key: str) -> Value:
        value = self.file.metadata.get(key)
        if value is None:
            raise FormatError(
                f"{self.file.path}: the metadata key {key!r} is missing; "
                "convert the model anew with a converter that writes it"
            )
        return value

    def wrong(self, key: str, value: object, expected: str) -> FormatError:
        got = f"{value!r}" if isinstance(value, int | float | str) else type(value).__name__
        return FormatError(
            f"{self.file.path}: metadata key {key!r}: got {got}, expected {expected}; "
            "convert the model anew"
        )

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """An integer in low..high."""
        value = self.required(key) if default is None else self.file.metadata.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(key, value, f"an integer from {low} to {high}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        value = self.required(key) if default is None else self.file.metadata.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise self.wrong(key, value, "a finite number")
        return float(value)

    def boolean(self, key: str, default: bool) -> bool:
        value = self.file.metadata.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, value, "a bool")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self.required(key) if default is None else self.file.metadata.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, value, "a string")
        return value

    def strings(self, key: str) -> Strings:
        value = self.required(key)
        if not isinstance(value, Strings):
            raise self.wrong(key, value, "an array of strings")
        return value

    def numbers(self, key: str, length: int) -> Numbers:
        """An array of exactly this many numbers."""
        value = self.required(key)
        if not isinstance(value, np.ndarray) or len(value) != length:
            raise self.wrong(key, value, f"an array of {length} numbers")
        return value
