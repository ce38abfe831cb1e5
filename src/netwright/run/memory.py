"""How much memory this process has had resident (Linux)."""

from __future__ import annotations

from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def _field(name: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


def resident_bytes() -> int:
    """Resident now."""
    return _field("VmRSS")


def peak_resident_bytes() -> int:
    """The most resident since the start, or since `reset_peak`."""
    return _field("VmHWM")


def reset_peak() -> None:
    """Forgets earlier peaks: `peak_resident_bytes` starts again from what is resident now."""
    CLEAR.write_text("5")
