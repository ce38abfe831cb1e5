"""Quantities for people: the unit is read off the end of a figure's name."""

from __future__ import annotations

from netwright.plan.quantity import quantity

UNKNOWN = "–"
_UNITS = ("seconds", "bytes", "joules")
_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_LABELS = {
    "prompt_token_seconds": "prompt, per token",
    "token_seconds": "generation, per token",
    "prompt_seconds": "the whole prompt",
    "decode_seconds": "the whole generation",
    "seconds": "one pass",
    "peak_memory_bytes": "peak memory",
    "energy_joules": "energy",
}


def label_of(name: str) -> str:
    """What a figure is called on a page."""
    return _LABELS.get(name) or name.replace("_", " ")


def figure_text(name: str, value: float | None) -> str:
    """A figure with its unit, or a dash when it is not known."""
    if value is None:
        return UNKNOWN
    for unit in _UNITS:
        if name == unit or name.endswith("_" + unit):
            return quantity(value, unit) if value else f"0 {unit}"
    return f"{value:,.4g}"


def ratio_text(ratio: float | None) -> str:
    """Measured over predicted."""
    return UNKNOWN if ratio is None else f"{ratio:.2f}×" if ratio < 100 else f"{ratio:.0f}×"


def scaled(value: float, unit: str = "") -> str:
    """12.3 G operations/s; nothing is shown for nothing."""
    if not value:
        return UNKNOWN
    for scale, prefix in _PREFIXES:
        if abs(value) >= scale:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}".strip()


def seconds_text(value: float | None) -> str:
    """Seconds as ms, us or ns."""
    return UNKNOWN if value is None else quantity(value, "seconds") if value else "0"


def bytes_text(value: float) -> str:
    """Bytes as kB, MB or GB."""
    return quantity(value, "bytes") if value else UNKNOWN


def verdict(ratio: float | None) -> str:
    """How near a prediction was: near (within a quarter), off (a factor of two) or far."""
    if ratio is None or ratio <= 0:
        return "unknown"
    off = max(ratio, 1 / ratio)
    return "near" if off <= 1.25 else "off" if off <= 2 else "far"
