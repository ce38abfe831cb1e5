"""Rows drawn from a table in a file → bytes that become resident: asked of the system itself.

How much of a file one touch maps depends on how the system's cache holds the file: 64 KiB around
the page as a rule, up to 2 MiB where it was read or written in large pieces. So the file is mapped
once more, as many rows are touched, and the pages that came are counted.
"""

from __future__ import annotations

import mmap
import random
from pathlib import Path

import numpy as np

PAGES = Path("/proc/self/pagemap")
PAGE_BYTES = 4096  # of the system; others have no such table of pages
ENTRY_BYTES, PRESENT = 8, 63  # of each page; the bit that says that it is there
MOST_DRAWN = 4096


def drawn_bytes(path: Path, low: int, high: int, drawn: int, rows: int) -> int | None:
    """Bytes of `[low, high)` of a file, a table of `rows`, that are there once some were drawn.

    None where the system does not say, or the file is not there.
    """
    if high <= low or not 1 <= drawn <= MOST_DRAWN or rows < 1:
        return None
    try:
        with path.open("rb") as stream:
            # Not closed by hand: it goes with the last view of it.
            raw = np.frombuffer(mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ), np.uint8)
        first, last = low // PAGE_BYTES, -(-min(high, raw.size) // PAGE_BYTES)
        chance, row_bytes = random.Random(drawn), (high - low) // rows
        for _ in range(drawn):
            at = low + chance.randrange(rows) * row_bytes
            raw[at : at + row_bytes].sum()
        with PAGES.open("rb", buffering=0) as pages:
            pages.seek((raw.ctypes.data // PAGE_BYTES + first) * ENTRY_BYTES)
            entries = np.frombuffer(pages.read((last - first) * ENTRY_BYTES), np.uint64)
    except (OSError, ValueError):
        return None
    return PAGE_BYTES * int((entries >> np.uint64(PRESENT)).sum())
