"""Reading JSON from outside: sizes capped, every field checked, errors that name file and field."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from netwright.errors import FormatError

LARGEST_BYTES = 1 << 28  # 256 MiB: a timeline of about three million spans
LONGEST_TEXT = 1 << 24

T = TypeVar("T")


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        FormatError: no regular file, too large, not UTF-8, not JSON, or nested too deeply.
    """
    try:
        if not path.is_file():
            raise FormatError(
                f"{path}: no such file; expected one that `netwright run --out` wrote"
            )
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    if len(raw) > LARGEST_BYTES:
        raise FormatError(f"{path}: more than {LARGEST_BYTES} bytes; a run is never so large")
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not JSON ({error}); save the run again") from error


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not a JSON number")


def wrong(where: str, got: object, expected: str) -> FormatError:
    """The error for a field that is not what it should be."""
    shown = repr(got)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    return FormatError(f"{where}: got {shown}, expected {expected}; save the run again")


def as_object(where: str, value: object) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise wrong(where, value, "an object")
    return cast("dict[str, Any]", value)


def as_list(where: str, value: object) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise wrong(where, value, "an array")
    return cast("list[Any]", value)


def as_text(where: str, value: object) -> str:
    """A string of bearable length."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise wrong(where, value, "a string")
    return value


def as_number(where: str, value: object) -> float:
    """A finite number, as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(where, value, "a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise wrong(where, "an enormous integer", "a number") from error
    if not math.isfinite(number):
        raise wrong(where, value, "a finite number")
    return number


def as_count(where: str, value: object) -> int:
    """An integer of at least 0 that fits in 63 bits."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise wrong(where, value, "an integer of at least 0")
    return value


def optional(read: Callable[[str, object], T], where: str, value: object) -> T | None:
    """None, or what `read` makes of it."""
    return None if value is None else read(where, value)
