"""What the native runtime holds in a process besides any program: measured in a fresh one.

`python -m netwright.machine.probe.process` prints it as JSON: what a program without tasks takes,
and which pages of the core's code there are after the import and after calls of each opcode (Linux
maps several around the one that is touched: mm/memory.c, fault_around_bytes).
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np

from netwright.machine.machine import Code
from netwright.machine.probe.door import core
from netwright.machine.probe.points import KernelPoint
from netwright.machine.probe.points_language import language_points
from netwright.machine.probe.points_vision import vision_points
from netwright.machine.probe.timing import WRITTEN, Timer
from netwright.machine.table import Regime

ROLLUP, MAPPINGS, MAPS, PAGES = (
    Path("/proc/self") / name for name in ("smaps_rollup", "smaps", "maps", "pagemap")
)
MOST_SECONDS = 30.0
POOL_BYTES = 2**22
PAGE_BYTES = 4096
DONT_NEED = 4  # MADV_DONTNEED of Linux: pages of a file go, and come back when touched
LARGEST_OPERAND_BYTES = 2**20
WARM_UP = "fill"  # the smallest kernel: what its call brings in, any call does


@final
@dataclass(frozen=True, slots=True)
class Held:
    """Bytes besides any program, and code by opcode; None where the system does not say."""

    runtime_bytes: int
    code: Code | None


def held() -> Held:
    """What any process that runs programs holds."""
    command = [sys.executable, "-m", "netwright.machine.probe.process"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=MOST_SECONDS, check=True
        )
        found = json.loads(done.stdout)
        windows = tuple((str(k), tuple(int(w) for w in v)) for k, v in found["windows"].items())
        return Held(max(0, int(found["bytes"])), Code(PAGE_BYTES, windows) if windows else None)
    except (OSError, ValueError, KeyError, subprocess.SubprocessError):
        return Held(0, None)


def _resident() -> int:
    """Exact, unlike VmRSS, which is counted in batches."""
    for line in ROLLUP.read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    return 0


def _core_resident() -> int:
    """Of all mappings of the core's file."""
    total, ours = 0, False
    for line in MAPPINGS.read_text().splitlines():
        first = line.split(maxsplit=1)[0]
        if "-" in first:
            ours = line.endswith(core.__file__)
        elif ours and first == "Rss:":
            total += int(line.split()[1]) * 1024
    return total


@final
class Text:
    """The mapping of the core's code."""

    def __init__(self) -> None:
        self.start = self.end = 0
        for line in MAPS.read_text().splitlines():
            if line.endswith(core.__file__) and "r-xp" in line:
                low, high = line.split()[0].split("-")
                self.start, self.end = int(low, 16), int(high, 16)

    def pages(self) -> set[int]:
        """Numbers of the pages that are resident."""
        with PAGES.open("rb") as stream:
            stream.seek(self.start // PAGE_BYTES * 8)
            raw = stream.read((self.end - self.start) // PAGE_BYTES * 8)
        present = (raw[i + 7] >> 7 for i in range(0, len(raw), 8))
        return {page for page, there in enumerate(present) if there}

    def forget(self) -> None:
        """Nothing is resident until it is touched again."""
        libc = ctypes.CDLL(None, use_errno=True)
        length = ctypes.c_size_t(self.end - self.start)
        if libc.madvise(ctypes.c_void_p(self.start), length, DONT_NEED):
            raise OSError(ctypes.get_errno(), "madvise")


def _points() -> dict[str, list[KernelPoint]]:
    """A few sizes of each opcode: its first and last small ones, weights warm."""
    found: dict[str, list[KernelPoint]] = {}
    for point in (*vision_points(), *language_points()):
        size = sum(o.size_bytes for o in point.operands if o)
        if point.opcode in WRITTEN and size <= LARGEST_OPERAND_BYTES:
            found.setdefault(point.opcode, []).append(replace(point, regime=Regime.WARM))
    return {opcode: [points[0], points[-1]] for opcode, points in found.items()}


def main() -> None:
    """Prints what an empty program takes, and what calls of each opcode bring in."""
    timer, text, points = Timer(64, POOL_BYTES), Text(), _points()
    imported = text.pages()
    constants = _core_resident() - PAGE_BYTES * len(imported)  # the core's mappings beside its code
    before = _resident()
    nothing = core.Executable(
        *[np.zeros(0, np.uint8)] * 5, arenas=[], entries=[], threads=1, use_avx2=core.has_avx2()
    )
    grown = max(0, _resident() - before - PAGE_BYTES * len(text.pages() - imported))
    del nothing
    by_opcode: dict[str, set[int]] = {}
    for opcode in (WARM_UP, *sorted(set(points) - {WARM_UP})):
        text.forget()
        for each in points[opcode]:
            timer.time(each, 0.0)
        by_opcode[opcode] = text.pages()
    # What every call brought in is the timing's own, which no run needs.
    common = set[int].intersection(*by_opcode.values())
    windows = {"": imported, **{name: seen - common for name, seen in by_opcode.items()}}
    kept = {name: sorted(seen) for name, seen in windows.items()}
    print(json.dumps({"bytes": constants + grown, "windows": kept}))


if __name__ == "__main__":
    main()
