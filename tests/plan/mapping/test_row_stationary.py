"""Row-stationary mappings: the paper's own parameters, and laws of any others."""

import csv
import math
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netwright.cost.loop_nest import Placed, parts
from netwright.cost.nest import Nest
from netwright.errors import FormatError, UnsupportedError
from netwright.machine.load import machine
from netwright.plan.mapping.row_stationary import RowStationary, convolution, row_stationary

EYERISS = machine("eyeriss")
ARRAY = EYERISS.units[0].array
LAYERS = Path(__file__).parents[3] / "studies" / "chip" / "eyeriss.csv"
ROWS = list(csv.DictReader(LAYERS.read_text(encoding="utf-8").splitlines()))
PUBLISHED = [row for row in ROWS if row["rs"]]
BUSY = {"CONV1": 154, "CONV2": 140, "CONV3": 156, "CONV4": 156, "CONV5": 156}


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row["layer"])
def test_the_papers_parameters_fill_the_papers_elements(row: dict[str, str]) -> None:
    """Table V; of CONV2 it counts 135: the last of two folds has one column less at work."""
    assert ARRAY is not None
    sizes = {k: int(row[k]) for k in ("batch", "channels", "places", "kernel", "stride")}
    nest = convolution(units=int(row["units"]) // int(row["groups"]), **sizes)
    given = RowStationary.read(row["rs"])
    mapping = row_stationary(nest, ARRAY, given)
    assert math.prod(unrolled for _, _, unrolled in mapping.spatial) == BUSY[row["layer"]]
    if row["layer"] != "CONV2":
        assert BUSY[row["layer"]] == int(row["active"])
    assert all(share > 0 for share in mapping.shares(nest))


@given(st.data())
def test_every_product_is_computed_and_fits_its_element(data: st.DataObject) -> None:
    """Where all parameters divide: no member idles, and an element holds what Table I says."""
    assert ARRAY is not None
    draw = data.draw
    kernel, e = draw(st.sampled_from((3, 5))), draw(st.integers(1, 14))
    p, q, r, t = (draw(st.integers(1, 3)) for _ in range(4))
    n, more = draw(st.integers(1, 2)), [draw(st.integers(1, 3)) for _ in range(5)]
    beside = min(t, 14 // e)
    assume(t % beside == 0 and kernel * r * (t // beside) <= 12)
    m = p * t * more[0]
    nest = convolution(
        batch=n * more[1], units=m * more[2], channels=q * r * more[3], places=e * more[4],
        kernel=kernel, stride=1,
    )  # fmt: skip
    mapping = row_stationary(nest, ARRAY, RowStationary(m, n, e, p, q, r, t))
    at_work = math.prod(unrolled for _, _, unrolled in mapping.spatial)
    assert mapping.cycles * at_work == nest.macs
    placed = Placed(EYERISS, ARRAY, nest, mapping)
    assert placed.tile(1, 0) == p * q * kernel  # a row of weights for each unit and channel
    assert placed.tile(2, 0) == p  # a sum for each unit
    assert {part.operand for part in parts(placed)} == {"inputs", "weights", "outputs"}


def test_what_does_not_fit_or_is_no_convolution() -> None:
    assert ARRAY is not None
    nest = convolution(batch=1, units=64, channels=64, places=13, kernel=3, stride=1)
    with pytest.raises(UnsupportedError, match="3 x 4 x 2 x 1 rows of elements, and there are 12"):
        row_stationary(nest, ARRAY, RowStationary(64, 1, 13, 4, 1, 4, 2))
    with pytest.raises(UnsupportedError, match="nest of `convolution`"):
        row_stationary(Nest(("m",), (2,), nest.operands), ARRAY,
                       RowStationary(1, 1, 1, 1, 1, 1, 1))  # fmt: skip
    other = machine("tpu-v4i").units[0].array
    assert other is not None
    with pytest.raises(UnsupportedError, match="three levels and weights two"):
        row_stationary(nest, other, RowStationary(1, 1, 1, 1, 1, 1, 1))


@pytest.mark.parametrize("text", ["", "m=1", "m=0 n=1 e=1 p=1 q=1 r=1 t=1", "m=x", "m n", "m=1=2"])
def test_parameters_that_are_none(text: str) -> None:
    with pytest.raises(FormatError, match="row-stationary parameters"):
        RowStationary.read(text)


def test_the_global_buffer_holds_inputs_and_sums() -> None:
    """4 images: 2 channels of 3 rows of 15, and 8 units of one row of 13."""
    nest = convolution(batch=4, units=8, channels=4, places=13, kernel=3, stride=1)
    assert RowStationary(8, 4, 1, 2, 2, 1, 1).buffered(nest) == 4 * (2 * 3 * 15 + 8 * 13)
