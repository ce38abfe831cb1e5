"""Limits and precision on the command line → those of a job."""

from __future__ import annotations

import re

from netwright.errors import JobError
from netwright.job.job import Choose, Keep, Limits, Precision, Uniform

BYTES = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip
SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
NUMBER = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE)


def limits(memory: str | None, time: str | None, threads: int | None) -> Limits:
    """`80MB`, `3.5ms` and a number of threads; what is absent limits nothing.

    Raises:
        JobError: not a number above 0 with a unit.
    """
    size = None if memory is None else int(_scaled("--memory-limit", memory, BYTES))
    seconds = None if time is None else _scaled("--time-limit", time, SECONDS)
    return Limits(memory_bytes=size, seconds=seconds, threads=threads)


def precision(text: str | None, within: Limits) -> Precision:
    """`keep`, `choose`, or one format for all. By default chosen where there is a limit to keep."""
    if text is None:
        limited = within.memory_bytes is not None or within.seconds is not None
        return Choose() if limited else Keep()
    if text == "keep":
        return Keep()
    return Choose() if text == "choose" else Uniform(text)


def duration(option: str, text: str) -> float:
    """`1s` or `250ms` in seconds.

    Raises:
        JobError: not a number above 0 with a unit.
    """
    return _scaled(option, text, SECONDS)


def _scaled(option: str, text: str, scales: dict[str, int] | dict[str, float]) -> float:
    found = NUMBER.fullmatch(text)
    scale = None if found is None else scales.get(found[2].lower())
    if found is None or scale is None or float(found[1]) <= 0:
        units = ", ".join(name for name in scales if name)
        raise JobError(f"{option} {text!r}: expected a number above 0 and one of {units}")
    return float(found[1]) * scale
