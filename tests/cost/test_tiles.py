"""Tiles: laws of the model, and LLMCompass's measured products."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cost.cost import COLD, Setting
from netwright.cost.estimate import estimate, lower_bound
from netwright.cost.formulas import work
from netwright.cost.roofline import roofline
from netwright.cost.tiles import BYTES, best_tiling, shapes
from netwright.cost.work import Shape, Work
from netwright.errors import MachineError, UnsupportedError
from netwright.machine.load import load_file, machine
from netwright.machine.machine import Machine
from netwright.machine.verify import verify

A100 = machine("a100-sxm-80")
(UNIT,) = A100.units
SIZES = st.integers(1, 20_000)
STUDIES = Path(__file__).parents[2] / "studies" / "perf"
MEASURED = list(
    csv.DictReader((STUDIES / "llmcompass.csv").read_text(encoding="utf-8").splitlines())
)


def matmul(rows: int, inner: int, columns: int, form: str = "fp16") -> Work:
    shapes_of = ((rows, columns), (rows, inner), (columns, inner))
    return work("matmul_dense", [Shape(form, shape) for shape in shapes_of], (), {})


def again(demand: Work) -> Setting:
    """The same product over and over: between two uses of a factor lies what it touches."""
    return Setting(1, demand.working_set_bytes, demand.working_set_bytes)


def held(found: Machine, cores: int, rate: float, shape: tuple[int, int, int]) -> float:
    """Operations per second at a shape (rows, inner, columns), with so many cores, in bf16."""
    (unit,) = found.units
    assert unit.tiles is not None
    unit = replace(unit, tiles=replace(unit.tiles, cores=cores), rates=(("bf16", rate),))
    demand = matmul(*shape, "bf16")
    tiling = best_tiling(replace(found, units=(unit,)), unit, demand, COLD)
    return demand.num_operations / tiling.seconds


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, SIZES)
def test_no_estimate_is_below_the_bound(rows: int, inner: int, columns: int) -> None:
    demand = matmul(rows, inner, columns)
    found = estimate(A100, UNIT, demand)
    assert lower_bound(A100, UNIT, demand) <= found.interval.low <= found.seconds
    assert found.seconds <= found.interval.high


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, SIZES)
def test_a_tiling_covers_the_result(rows: int, inner: int, columns: int) -> None:
    tiling = best_tiling(A100, UNIT, matmul(rows, inner, columns), COLD)
    assert UNIT.tiles is not None
    assert tiling.tiles * tiling.rows * tiling.columns >= rows * columns
    assert (tiling.waves - 1) * UNIT.tiles.cores < tiling.tiles <= tiling.waves * UNIT.tiles.cores


def test_one_tile_too_many_takes_a_whole_wave() -> None:
    """108 cores: 108 tiles of 256 x 128 are one wave, and no tile of 109 needs fewer than two."""
    assert UNIT.tiles is not None
    only = replace(UNIT.tiles, sum_bytes=2 * 4 * 128 * 256, local_bytes_per_cycle=1e9)
    unit = replace(UNIT, tiles=only)
    here = replace(A100, units=(unit,))
    full = best_tiling(here, unit, matmul(256, 8192, 128 * 108), COLD)
    over = best_tiling(here, unit, matmul(256, 8192, 128 * 109), COLD)
    assert full.limit == "matrix units"
    exact = 2 * 256 * 8192 * 128 * 108 / (312e12 * only.sustained)
    assert full.matrix_seconds == pytest.approx(exact)
    assert over.matrix_seconds > 1.02 * full.matrix_seconds


def test_tiles_fit_local_memory_and_registers() -> None:
    assert UNIT.tiles is not None
    for rows, columns in shapes(UNIT.tiles, BYTES["fp16"]):
        assert rows * columns * 4 <= UNIT.tiles.sum_bytes / 2
        assert 2 * (rows + columns) * 32 * 2 <= UNIT.tiles.local_bytes
    assert max(rows * columns for rows, columns in shapes(UNIT.tiles, 2)) == 256 * 128


def test_a_small_cache_makes_factors_come_again() -> None:
    small = replace(A100.memory("l2"), capacity_bytes=1 << 20)
    here = replace(A100, memories=tuple(small if m.name == "l2" else m for m in A100.memories))
    demand = matmul(16384, 4096, 16384)
    plain = best_tiling(A100, UNIT, demand, COLD).memory_seconds
    assert best_tiling(here, UNIT, demand, COLD).memory_seconds >= plain


def test_what_is_no_product_costs_its_roofline() -> None:
    shapes_of = [Shape("fp32", (64, 512))] * 2
    demand = work("softmax", shapes_of, (), {})
    assert estimate(A100, UNIT, demand) == roofline(A100, UNIT, demand, COLD)


def test_a_unit_without_cores_and_arithmetic_that_is_not_there() -> None:
    bare = replace(A100, units=(replace(UNIT, tiles=None),))
    with pytest.raises(MachineError, match=r"units.gpu.tiles: got none; give its cores"):
        verify(bare)
    unit = replace(UNIT, rates=(("int4", 1e15),))
    with pytest.raises(UnsupportedError, match="fp32"):
        estimate(A100, unit, matmul(64, 64, 64, "fp32"))


def test_the_sustained_rate_is_that_of_its_source() -> None:
    """Maximum Achievable Matmul FLOPS (ml-engineering), within 1 %."""
    assert held(A100, 108, 312e12, (1024, 5120, 10240)) == pytest.approx(271.2e12, rel=0.01)
    die = held(machine("mi210"), 110, 191.5e12, (1024, 19968, 14080))
    assert die == pytest.approx(147.0e12, rel=0.01)


@pytest.mark.parametrize("gpu", ["a100", "mi210"])
def test_llmcompass_products_within_ten_percent_in_the_mean(gpu: str) -> None:
    found = load_file(STUDIES / f"llmcompass_{gpu}.yaml")
    errors: list[float] = []
    for row in MEASURED:
        if (row["table"], row["gpu"]) == ("llmcompass", gpu):
            demand = matmul(int(row["rows"]), int(row["inner"]), int(row["columns"]), "bf16")
            seconds = estimate(found, found.units[0], demand, again(demand)).seconds
            errors.append(abs(seconds / (float(row["milliseconds"]) * 1e-3) - 1))
    assert len(errors) == {"a100": 20, "mi210": 22}[gpu]
    assert sum(errors) / len(errors) < 0.10


def test_repeated_small_products_stay_in_the_cache() -> None:
    demand = matmul(1024, 1024, 1024, "bf16")
    cold = best_tiling(A100, UNIT, demand, COLD).memory_seconds
    assert best_tiling(A100, UNIT, demand, again(demand)).memory_seconds < cold
