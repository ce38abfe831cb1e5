"""What a kept plan depends on, told apart without reading it: files, machine, code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from netwright.frontends.locate import locate
from netwright.machine.cache_folder import cache_folder
from netwright.native import core

Stamp: TypeAlias = tuple[str, int, int]  # path, bytes, nanoseconds of the last change

# What decides, lowers or describes; a change in the rest leaves kept plans valid.
ROOMS = ("frontends", "graph", "transform", "cost", "plan", "program", "machine", "path")
PACKAGE = Path(__file__).parents[1]
PROCESSORS = Path("/proc/cpuinfo")
PROBED = ("machines.sqlite", "machines.sqlite-wal")


def source_identity(source: str) -> tuple[Stamp, ...]:
    """Every file of a source, by stamp.

    Raises:
        FormatError: there is no such source.
    """
    path = locate(source)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple(_stamp(file) for file in files)


def machine_identity(name: str) -> object:
    """Which machine: for "here" the processor and its profile, for a file its stamp, else a name.

    Machines of the library belong to the code.
    """
    if name == "here":
        profile = [cache_folder() / file for file in PROBED]
        return (
            _processor(),
            len(os.sched_getaffinity(0)),
            [_stamp(p) for p in profile if p.is_file()],
        )
    path = Path(name)
    return _stamp(path.resolve()) if path.is_file() else name


def code_identity() -> tuple[Stamp, int, int]:
    """The compiled core, and how many files decide and when one last changed."""
    times = [time for room in ROOMS for time in _changes(str(PACKAGE / room))]
    return _stamp(Path(core.__file__)), len(times), max(times)


def _changes(folder: str) -> Iterator[int]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".py", ".yaml")):
                yield entry.stat().st_mtime_ns
            elif entry.is_dir() and not entry.name.startswith("__"):
                yield from _changes(entry.path)


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return str(path), found.st_size, found.st_mtime_ns


def _processor() -> tuple[str, ...]:
    """The lines that say which processor it is; those of the first one."""
    try:
        first, _, _ = PROCESSORS.read_text().partition("\n\n")
    except OSError:
        return ()
    wanted = ("model", "cpu family", "stepping", "cache size", "flags", "CPU ")
    return tuple(line for line in first.splitlines() if line.startswith(wanted))
