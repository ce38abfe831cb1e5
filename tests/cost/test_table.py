"""The table model: exact at its points, lawful between them, honest about its error."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cost import Setting, Shape, estimate, lower_bound, work
from netwright.cost.table import fit
from netwright.machine.load import library_machine
from netwright.machine.machine import Machine
from netwright.machine.table import Point, Regime, Table

ROWS = (1, 2, 4, 16, 64, 256)
SIZES = ((256, 256), (256, 1024), (1024, 1024), (2048, 2048))


def law(rows: float, inputs: float, outputs: float) -> float:
    """A kernel that we know: weights at 15 GB/s or products at 100 GOP/s, and 1 us."""
    product = inputs * outputs
    return 1e-6 + max(product * 0.625 / 15e9, 2 * rows * product / 100e9)


def measured() -> Machine:
    base = library_machine("epyc-7763")
    points = tuple(Point((t, k, n), law(t, k, n), 0.01) for t in ROWS for k, n in SIZES)
    table = Table("matmul_quant", "q4_1", Regime.COLD, points)
    unit = replace(base.units[0], cost_model="table", tables=(table,))
    return replace(base, units=(unit,))


MACHINE = measured()
UNIT = MACHINE.units[0]


def seconds(rows: int, inputs: int, outputs: int, setting: Setting = Setting()) -> float:  # noqa: B008
    operands = [
        Shape("fp32", (rows, outputs)),
        Shape("act8x32", (rows, inputs)),
        Shape("q4_1", (outputs, inputs)),
    ]
    task = work("matmul_quant", operands, [0, 0.0, 0.0], {})
    cost = estimate(MACHINE, UNIT, task, setting)
    assert cost.seconds >= lower_bound(MACHINE, UNIT, task, setting)
    assert cost.interval.low <= cost.seconds <= cost.interval.high
    return cost.seconds - MACHINE.launch_seconds


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("size", SIZES)
def test_a_measured_point_is_returned_almost_as_measured(rows: int, size: tuple[int, int]) -> None:
    """Not to the digit: a point is taken to be noisy, and the law has an edge that is rounded."""
    assert seconds(rows, *size) == pytest.approx(law(rows, *size), rel=0.1)


@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"), [(1, 512, 512), (96, 768, 1024), (1, 1536, 1024)]
)
def test_between_points_the_law_is_found(rows: int, inputs: int, outputs: int) -> None:
    assert seconds(rows, inputs, outputs) == pytest.approx(law(rows, inputs, outputs), rel=0.2)


@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(1, 576, 49152), (1024, 2048, 2048)])
def test_beyond_the_points_it_grows_in_proportion(rows: int, inputs: int, outputs: int) -> None:
    assert seconds(rows, inputs, outputs) == pytest.approx(law(rows, inputs, outputs), rel=0.35)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 600), st.integers(8, 128), st.integers(8, 128))
def test_the_interval_covers_what_the_law_gives(rows: int, inputs: int, outputs: int) -> None:
    """Far from any point the interval must still hold the truth within a factor of two."""
    got = seconds(rows, inputs * 32, outputs * 32)
    want = law(rows, inputs * 32, outputs * 32)
    assert 0.5 < got / want < 2.0


def test_more_units_are_not_slower_but_no_faster_than_the_roofline_allows() -> None:
    alone, eight = seconds(256, 2048, 2048), seconds(256, 2048, 2048, Setting(8))
    assert alone / 8 <= eight <= alone


def test_an_opcode_without_a_table_falls_back_to_the_roofline() -> None:
    task = work("softmax", [Shape("fp32", (8, 128)), Shape("fp32", (8, 128))], [0], {})
    plain = replace(MACHINE, units=(replace(UNIT, cost_model="roofline", tables=()),))
    assert estimate(MACHINE, UNIT, task) == estimate(plain, plain.units[0], task)


def test_the_leave_one_out_error_is_that_of_the_table() -> None:
    """Noise of 10 % in the points shows in the deviation; none shows as the least spread."""
    noisy = tuple(
        Point(p.sizes, p.seconds * (1.1 if i % 2 else 0.9), 0.01)
        for i, p in enumerate(UNIT.tables[0].points)
    )
    clean = fit(UNIT.tables[0]).ratio.deviation
    assert fit(replace(UNIT.tables[0], points=noisy)).ratio.deviation > max(clean, math.log(1.05))
