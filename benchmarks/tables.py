"""Tables on the screen: what is claimed beside what is shown, and the state of the machine."""

from __future__ import annotations

import os
from collections.abc import Sequence

from netwright.machine.host import host


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table in Markdown, so that it can stand in a page as it is."""
    widths = [max(len(r[i]) for r in (head, *rows)) for i in range(len(head))]
    print(f"\n{title}\n")
    for row in (head, ["-" * w for w in widths], *rows):
        cells = (c.ljust(w) for c, w in zip(row, widths, strict=True))
        print("| " + " | ".join(cells) + " |")
    print(flush=True)


def verdict(ratio: float | None, claimed: float) -> str:
    """Whether a ratio (more is better) reaches what is claimed."""
    if ratio is None:
        return "no peer"
    return "reached" if ratio >= claimed else "missed"


def machine_line() -> str:
    """Processor, number of processors, and how busy the machine is."""
    here = host()
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return f"{here.processor}; {here.processors} processors; load {load}"
