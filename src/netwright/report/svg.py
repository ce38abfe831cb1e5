"""SVG in small pieces: elements as text, every attribute and word escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape


def element(tag: str, attributes: Mapping[str, str | float], *children: str) -> str:
    """One element. Children are SVG already; use `words` for text."""
    inside = "".join(children)
    given = "".join(f' {name}="{_value(value)}"' for name, value in attributes.items())
    return f"<{tag}{given}>{inside}</{tag}>"


def words(text: str) -> str:
    """Text from outside, escaped. Control characters, which no XML may hold, become spaces."""
    return escape("".join(c if c.isprintable() or c == "\n" else " " for c in text))


def label(x: float, y: float, text: str, style: str = "") -> str:
    """Words at a place. `style` is a class of the page."""
    return element("text", {"x": x, "y": y, "class": f"label {style}".strip()}, words(text))


def tip(text: str) -> str:
    """What is shown when pointed at."""
    return element("title", {}, words(text))


def picture(width: float, height: float, name: str, *children: str) -> str:
    """A whole picture that scales with the page. `name` is for those who cannot see it."""
    box = {"viewBox": f"0 0 {width:g} {height:g}", "role": "img", "aria-label": name}
    return element("svg", box, *children)


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line."""
    return element("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": style})


def ticks(most: float, about: int = 6) -> list[float]:
    """Round numbers from 0 to at most `most`, about so many."""
    if not most > 1e-300:  # subnormal numbers have no tenth
        return [0.0]
    raw = most / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    return [i * step for i in range(int(most / step * (1 + 1e-9)) + 1)]


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return words(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")
