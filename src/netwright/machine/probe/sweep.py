"""Bandwidth of every level by a sweep of working sets, and arithmetic peaks, by CPU time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias, final

from netwright.machine.host import Host
from netwright.machine.machine import Management, Memory, Source
from netwright.machine.probe.door import core

Progress: TypeAlias = Callable[[str, float], None]

STILL_CACHED = 0.6  # a working set that is read at this share of a level's speed still lies in it
LARGEST_SWEEP_BYTES = 2**28
FEWEST_DRAM_BYTES = 2**26


@final
@dataclass(frozen=True, slots=True)
class Peaks:
    """Operations per second of one thread, and the speed of n threads together against one."""

    fp32: float
    int8: float
    units_speed: tuple[tuple[int, float], ...]


def thread_counts(processors: int) -> tuple[int, ...]:
    """1, 2, 4, ... and all."""
    counts = [1]
    while counts[-1] * 2 < processors:
        counts.append(counts[-1] * 2)
    return tuple(sorted({*counts, processors}))


def peaks(host: Host, seconds: float) -> Peaks:
    """fp32 multiply-add and int8 dot product rates."""
    fast = core.has_avx2()
    speeds = {n: sum(core.float_rates(n, seconds, fast)) for n in thread_counts(host.processors)}
    int8 = core.int8_rates(1, seconds, fast)[0]
    speed = tuple((n, rate / speeds[1]) for n, rate in speeds.items())
    return Peaks(speeds[1], int8, speed)


def memories(host: Host, seconds: float, source: Source) -> tuple[Memory, ...]:
    """Every level, innermost first, as measured; the last is the main memory."""
    levels: list[Memory] = []
    inner = 0
    for cache in host.caches:
        size = 2 * inner if inner else cache.size_bytes // 2
        read, write = _rates(size, seconds)
        capacity = cache.size_bytes
        if cache.sharers > 1 or cache is host.caches[-1]:
            # Others may sit in a shared cache: what is left of it is what counts.
            capacity = _effective(size, cache.size_bytes, read, seconds)
        shared = _shared_curve(size, read, _counts(host, cache.sharers), seconds)
        levels.append(
            Memory(
                name=f"l{cache.level}",
                capacity_bytes=capacity,
                management=Management.CACHE,
                source=source,
                count=max(1, host.processors // cache.sharers),
                read_bytes_per_second=read,
                write_bytes_per_second=write,
                units_read=shared if cache.sharers > 1 else (),
            )
        )
        inner = cache.size_bytes
    return (*levels, _main(host, inner, seconds, source))


def _main(host: Host, last_cache: int, seconds: float, source: Source) -> Memory:
    size = min(max(4 * last_cache, FEWEST_DRAM_BYTES), LARGEST_SWEEP_BYTES, host.memory_bytes // 4)
    read, write = _rates(size, max(seconds, 0.1))
    curve = _shared_curve(size, read, thread_counts(host.processors), max(seconds, 0.1))
    return Memory(
        name="dram",
        capacity_bytes=host.memory_bytes,
        management=Management.SCRATCHPAD,
        source=source,
        read_bytes_per_second=read,
        write_bytes_per_second=write,
        units_read=curve,
    )


def _counts(host: Host, sharers: int) -> tuple[int, ...]:
    return tuple(n for n in thread_counts(host.processors) if n <= sharers)


def _shared_curve(
    size: int, read: float, counts: tuple[int, ...], seconds: float
) -> tuple[tuple[int, float], ...]:
    """Bytes per second of n threads together, each on `size` bytes; at most n times one."""
    return tuple((n, min(n * read, _together(size, n, seconds)) if n > 1 else read) for n in counts)


def _together(bytes_each: int, threads: int, seconds: float) -> float:
    return sum(core.read_rates(max(bytes_each, 4096), threads, seconds, core.has_avx2()))


def _rates(size: int, seconds: float) -> tuple[float, float]:
    """Bytes per second read and written by one thread; writes from a copy less its reads."""
    read = core.read_rates(size, 1, seconds, core.has_avx2())[0]
    copied = core.copy_rates(size, 1, seconds, core.has_avx2())[0]
    remaining = 1.0 / copied - 0.5 / read
    write = 0.5 / remaining if remaining > 0.1 / copied else copied
    return read, write


def _effective(size: int, most: int, read: float, seconds: float) -> int:
    while 2 * size <= most:
        larger = core.read_rates(2 * size, 1, seconds, core.has_avx2())[0]
        if larger < STILL_CACHED * read:
            break
        size *= 2
    return size


def better_peaks(first: Peaks, second: Peaks) -> Peaks:
    """The higher rates of two measurements, taken at different times of a busy machine."""
    return Peaks(max(first.fp32, second.fp32), max(first.int8, second.int8), first.units_speed)


def better_memories(first: tuple[Memory, ...], second: tuple[Memory, ...]) -> tuple[Memory, ...]:
    """The higher bandwidths and capacities of two measurements, level by level."""
    return tuple(_better(a, b) for a, b in zip(first, second, strict=True))


def _better(a: Memory, b: Memory) -> Memory:
    return replace(
        a,
        capacity_bytes=max(a.capacity_bytes, b.capacity_bytes),
        read_bytes_per_second=max(a.read_bytes_per_second or 0.0, b.read_bytes_per_second or 0.0),
        write_bytes_per_second=max(
            a.write_bytes_per_second or 0.0, b.write_bytes_per_second or 0.0
        ),
        units_read=tuple(
            (n, max(x, y)) for (n, x), (_, y) in zip(a.units_read, b.units_read, strict=True)
        ),
    )
