"""How much memory this process has had resident (Linux)."""

from __future__ import annotations

from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
MAPPINGS = Path("/proc/self/smaps")


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


def mapped_bytes(path: str) -> int:
    """Resident now of a file that is mapped, in all its mappings."""
    total, ours = 0, False
    for line in MAPPINGS.read_text().splitlines():
        fields = line.split(maxsplit=5)
        if "-" in fields[0]:
            ours = len(fields) > 5 and fields[5] == path
        elif ours and fields[0] == "Rss:":
            total += int(fields[1]) * 1024
    return total
