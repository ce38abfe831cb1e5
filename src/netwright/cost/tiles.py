"""Matrix products on a unit of many cores (a GPU): the cost model `tiles`.

A product is cut into tiles of the result, one tile to a core at a time, so the cores work in waves
and the last wave may be nearly empty. The sums of a tile stay in the core's registers; its factors
pass the shared cache and the core's local memory in steps along the summed loop. The kernel takes
the busiest of the matrix units, the local memories, the shared cache and the outermost memory, and
then the writing of the results: a wave's tiles end together, so it is not hidden. The tile is the
best of those that fit. Products of several waves meet each factor again: how often it comes from
the outermost memory follows from the block of tiles that is worked on at once, unless half the
cache holds it.

Source: NVIDIA, "Matrix Multiplication Background User's Guide" (tiles, waves). Every constant is
the machine's (`units[].tiles`), with its source. Not counted: filling of the first steps, splits of
the summed loop over cores, a library's poor choice of a tile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import final

from netwright.cost.cost import Cost, Setting, check_units
from netwright.cost.hierarchy import bandwidths, flows
from netwright.cost.roofline import bound_seconds, energy_joules, overhead_seconds, roofline
from netwright.cost.work import Work
from netwright.errors import UnsupportedError
from netwright.machine.machine import Machine, Unit
from netwright.machine.tiles import MatrixTiles
from netwright.timeline.timeline import Interval

BYTES = {"fp64": 8, "fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1, "int4": 0.5}
SUM_BYTES = 4  # sums are kept in 32 bits, whatever the factors (8 for fp64)
STAGES = 2  # steps of the factors in local memory: one is used while the next arrives
DEPTH = 32  # elements of the summed loop in a step, at least
LARGEST = 256  # side of a tile


@final
@dataclass(frozen=True, slots=True)
class Product:
    """`times` products of [rows, inner] and [inner, columns]."""

    times: int
    rows: int
    inner: int
    columns: int


@final
@dataclass(frozen=True, slots=True)
class Tiling:
    """What a choice of tile leads to. Seconds are each part's own; `waves` over all cores."""

    rows: int
    columns: int
    tiles: int
    waves: int
    matrix_seconds: float
    local_seconds: float
    cache_seconds: float
    memory_seconds: float
    writing_seconds: float

    @property
    def seconds(self) -> float:
        """Of the kernel, without its start."""
        return max(value for value, _ in self._parts()) + self.writing_seconds

    @property
    def limit(self) -> str:
        """What bounds it: "matrix units", "local memory", "cache" or "memory"."""
        return max(self._parts())[1]

    def _parts(self) -> tuple[tuple[float, str], ...]:
        return (
            (self.matrix_seconds, "matrix units"),
            (self.local_seconds, "local memory"),
            (self.cache_seconds, "cache"),
            (self.memory_seconds, "memory"),
        )


def product_of(work: Work) -> Product | None:
    """The product that a task is; None: it is another kind of task."""
    if work.opcode in ("matmul_dense", "matmul_quant", "gemm_packed"):
        return Product(1, *work.whole_sizes)
    if work.opcode == "matmul_batched":
        return Product(*work.whole_sizes)
    return None


def tiles(machine: Machine, unit: Unit, work: Work, setting: Setting) -> Cost:
    """The best tiling's seconds and the start; what is no matrix product costs its roofline."""
    product = product_of(work)
    if product is None or 0 in work.sizes or unit.tiles is None:
        return roofline(machine, unit, work, setting)
    check_units(machine, unit, setting)
    best = best_tiling(machine, unit, work, setting)
    bound = bound_seconds(machine, unit, work, setting)
    fixed = overhead_seconds(machine, work, setting)
    kernel, spread = max(best.seconds, bound), unit.tiles.spread
    interval = Interval(
        max(kernel / spread, bound) + fixed, kernel * spread + fixed, unit.tiles.confidence
    )
    seconds = kernel + fixed
    joules = energy_joules(machine, unit, work, setting, seconds)
    names = {"cache": machine.path(unit)[-2:][0].name, "memory": machine.path(unit)[-1].name}
    return Cost(seconds, joules, interval, names.get(best.limit, best.limit))


def best_tiling(machine: Machine, unit: Unit, work: Work, setting: Setting) -> Tiling:
    """The tiling of least seconds; of equal ones the largest tile.

    Raises:
        UnsupportedError: the unit has no rate for the product's arithmetic.
    """
    product, described = product_of(work), unit.tiles
    assert product is not None and described is not None
    arithmetic = work.operations[0][0]
    found = unit.rate(arithmetic)
    if found is None:
        bound_seconds(machine, unit, work, setting)  # says which arithmetic is lacking
        raise UnsupportedError(f"{machine.name}: no {arithmetic} arithmetic; quantise the network")
    width = BYTES.get(found[0], 4)
    rate = found[1] * setting.units * described.sustained / described.cores
    given = _Given(machine, unit, work, setting, product, width, rate)
    return min(
        (_tiling(given, rows, columns) for rows, columns in shapes(described, width)),
        key=lambda one: (one.seconds, -one.rows * one.columns),
    )


@lru_cache(maxsize=64)
def shapes(described: MatrixTiles, width: float) -> tuple[tuple[int, int], ...]:
    """Tiles (rows, columns) whose sums take half the registers at most and whose steps fit."""
    return tuple(_shapes(described, width))


def _shapes(described: MatrixTiles, width: float) -> Iterator[tuple[int, int]]:
    across = 1 << (described.lanes.bit_length() // 2)
    rows, columns, inner = described.step
    depth = max(DEPTH, inner)
    least = across * rows, described.lanes // across * columns
    sums = 2 * SUM_BYTES if width == BYTES["fp64"] else SUM_BYTES
    for i in _doubled(least[0]):
        for j in _doubled(least[1]):
            registers = 2 * i * j * sums <= described.sum_bytes
            local = STAGES * (i + j) * depth * width <= described.local_bytes
            if (registers and local) or (i, j) == least:
                yield i, j


def _doubled(least: int) -> Iterator[int]:
    yield least
    while (least := 2 * least) <= LARGEST:
        yield least


@final
@dataclass(frozen=True, slots=True)
class _Given:
    machine: Machine
    unit: Unit
    work: Work
    setting: Setting
    product: Product
    width: float  # bytes of an element in local memory
    rate: float  # operations per second of one core


def _tiling(given: _Given, rows: int, columns: int) -> Tiling:
    product, described = given.product, given.unit.tiles
    assert described is not None
    cores = described.cores * given.setting.units
    down, across = -(-product.rows // rows), -(-product.columns // columns)
    count = product.times * down * across
    waves = -(-count // cores)
    inner = -(-product.inner // described.step[2]) * described.step[2]
    cache_rate, memory_rate = _rates(given)
    passing = flows(given.machine, given.unit, given.work, given.setting)
    read = count * (rows + columns) * inner * given.width
    results = passing[0].written_bytes / cache_rate
    return Tiling(
        rows,
        columns,
        count,
        waves,
        matrix_seconds=waves * 2.0 * rows * columns * inner / given.rate,
        local_seconds=waves * inner * _local_cycles(given, rows, columns) / described.clock_hertz,
        cache_seconds=read / cache_rate,
        memory_seconds=(passing[-1].read_bytes + _again_bytes(given, rows, columns)) / memory_rate,
        writing_seconds=max(results, passing[-1].written_bytes / memory_rate),
    )


def _local_cycles(given: _Given, rows: int, columns: int) -> float:
    """Cycles of a local memory for one element of the summed loop: written once, and read by each
    lane, whose part of the tile is a half (of 4 lanes) of either side."""
    described = given.unit.tiles
    assert described is not None
    down = 1 << (described.lanes.bit_length() // 2)
    across = described.lanes // down
    read = across * rows + down * columns  # every row by all lanes beside each other
    return (rows + columns + read) * given.width / described.local_bytes_per_cycle


def _rates(given: _Given) -> tuple[float, float]:
    """Bytes per second of the shared cache and of the outermost memory, as held."""
    path, described = given.machine.path(given.unit), given.unit.tiles
    assert described is not None
    outermost, _ = bandwidths(path[-1], given.unit, given.setting.units)
    assert outermost is not None  # machine/verify sees to it
    held = outermost * described.memory_share
    cache = bandwidths(path[-2], given.unit, given.setting.units)[0] if len(path) > 1 else None
    return (held if len(path) == 1 else math.inf if cache is None else cache), held


def _again_bytes(given: _Given, rows: int, columns: int) -> float:
    """What of the factors passes the outermost memory more than once."""
    product, described = given.product, given.unit.tiles
    assert described is not None
    path = given.machine.path(given.unit)
    room = path[-2].capacity_bytes / 2 if len(path) > 1 else 0.0
    first = product.rows * product.inner * given.width
    second = product.columns * product.inner * given.width
    down, across = -(-product.rows // rows), -(-product.columns // columns)
    cores = described.cores * given.setting.units
    again = _again(
        first if first > room else 0.0, second if second > room else 0.0, down, across, cores
    )
    return product.times * again


@lru_cache(maxsize=4096)
def _again(first: float, second: float, down: int, across: int, cores: int) -> float:
    """Bytes of the factors that come once more, for the best block of tiles worked on at once:
    the first factor once for every block beside another, the second for every one below."""
    if first == second == 0.0:
        return 0.0
    beside = {-(-across // blocks) for blocks in range(1, across + 1)}
    return min(
        first * (-(-across // b) - 1) + second * (-(-down // min(down, cores // b)) - 1)
        for b in beside
        if b <= cores
    )
