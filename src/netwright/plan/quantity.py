"""A value with its unit, for people."""

from __future__ import annotations


def quantity(value: float, unit: str) -> str:
    """A value with its unit, for people: 12.3 ms, 98.4 MB."""
    scales = {
        "seconds": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
        "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "bytes")),
        "joules": ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ")),
    }.get(unit)
    if scales is None:
        return f"{value:g} {unit}".strip()
    for scale, label in scales:
        if abs(value) >= scale:
            return f"{value / scale:.3g} {label}"
    return f"{value:g} {unit}"


def count(value: float) -> str:
    """A number and the prefix of its unit: `12.3 G`; write the unit straight after it."""
    for scale, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= scale:
            return f"{value / scale:.3g} {prefix}"
    return f"{value:g} "
