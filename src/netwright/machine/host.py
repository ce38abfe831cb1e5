"""Who the machine at hand is: processor, caches, memory, and a key for its profile."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import final

from netwright.native import core

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
PROCESSORS = Path("/proc/cpuinfo")
GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")

# What is assumed where the system does not say: small caches, so that levels are measured apart.
DEFAULT_CACHES = ((1, 32 * 1024, 1), (2, 512 * 1024, 1))


@final
@dataclass(frozen=True, slots=True)
class Cache:
    """One level: its size and how many processors share one instance."""

    level: int
    size_bytes: int
    sharers: int


@final
@dataclass(frozen=True, slots=True)
class Host:
    """The machine at hand. `build` is a digest of the core that measured it."""

    processor: str
    processors: int  # that this process may use
    caches: tuple[Cache, ...]
    memory_bytes: int
    build: str

    @property
    def key(self) -> str:
        """Two profiles with one key may stand for each other."""
        return f"{self.hardware}{self.build}"

    @property
    def hardware(self) -> str:
        """How keys of this machine begin, whatever build measured it."""
        caches = ",".join(f"L{c.level}:{c.size_bytes}/{c.sharers}" for c in self.caches)
        return f"{self.processor}|{self.processors}|{caches}|"


def host() -> Host:
    """What the system says of itself."""
    processors = len(os.sched_getaffinity(0))
    return Host(_processor(), processors, _caches(processors), _memory(), _build())


def _processor() -> str:
    fields: dict[str, str] = {}
    try:
        for line in PROCESSORS.read_text().splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    except OSError:
        pass
    name = fields.get("model name") or platform.processor() or platform.machine()
    parts = [fields.get(key, "") for key in ("cpu family", "model", "stepping")]
    return " ".join(p for p in (name, "/".join(p for p in parts if p)) if p)


def _caches(processors: int) -> tuple[Cache, ...]:
    found: dict[int, Cache] = {}
    for folder in sorted(CACHES.glob("index*")):
        try:
            if (folder / "type").read_text().strip() == "Instruction":
                continue
            level = int((folder / "level").read_text())
            size = _size((folder / "size").read_text().strip())
            sharers = _count((folder / "shared_cpu_list").read_text().strip())
        except (OSError, ValueError):
            continue
        found[level] = Cache(level, size, min(sharers, processors))
    if not found:
        return tuple(Cache(*c) for c in DEFAULT_CACHES)
    return tuple(found[level] for level in sorted(found))


def _size(text: str) -> int:
    factor = {"K": 1024, "M": 1024**2, "G": 1024**3}.get(text[-1:], 1)
    return int(text.rstrip("KMG")) * factor


def _count(text: str) -> int:
    total = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        total += int(last or first) - int(first) + 1
    return max(total, 1)


def _memory() -> int:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = GROUP_LIMIT.read_text().strip()
        return min(total, int(limit)) if limit.isdigit() else total
    except OSError:
        return total


def _build() -> str:
    digest = hashlib.blake2b(digest_size=8)
    digest.update(Path(core.__file__).read_bytes())
    return digest.hexdigest()
