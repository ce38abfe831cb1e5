"""Row-stationary sets against the published layers of Eyeriss, against every mapping, and laws."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.cost.nest import Nest
from netwright.errors import UnsupportedError
from netwright.graph.graph import Graph
from netwright.graph.zoo import mobilenet_v1
from netwright.machine.array import SpatialArray
from netwright.machine.load import machine
from netwright.plan.mapping.row_spread import row_spread
from netwright.plan.mapping.row_stationary import RowStationary, convolution, row_stationary
from netwright.plan.mapping.steps import steps_of

LAYERS = Path(__file__).parents[3] / "studies" / "chip" / "eyeriss.csv"
ROWS = list(csv.DictReader(LAYERS.read_text(encoding="utf-8").splitlines()))


def array(height: int = 12, width: int = 14) -> SpatialArray:
    found = machine("eyeriss").units[0].array
    assert found is not None
    row, column = found.axes
    return replace(found, axes=(replace(row, size=height), replace(column, size=width)))


@pytest.mark.parametrize("row", [r for r in ROWS if r["rs"]], ids=lambda row: row["layer"])
def test_no_published_mapping_takes_fewer_cycles(row: dict[str, str]) -> None:
    """Table V of Eyeriss; its mappings also mind the scratchpads."""
    sizes = {k: int(row[k]) for k in ("batch", "channels", "places", "kernel", "stride")}
    nest = convolution(units=int(row["units"]) // int(row["groups"]), **sizes)
    mapping = row_stationary(nest, array(), RowStationary.read(row["rs"]))
    found = row_spread(nest, array(), False)
    assert found.cycles <= mapping.cycles
    assert found.elements >= int(row["active"]) or found.cycles < mapping.cycles


@given(
    st.tuples(*(st.integers(1, 9) for _ in range(5))), st.integers(1, 2),
    st.integers(9, 24), st.integers(1, 24), st.booleans(),
)  # fmt: skip
def test_laws(sizes: tuple[int, ...], stride: int, height: int, width: int, aside: bool) -> None:
    batch, units, channels, places, kernel = sizes
    nest = convolution(
        batch=batch, units=units, channels=channels, places=places, kernel=kernel, stride=stride
    )
    found = row_spread(nest, array(height, width), aside)
    assert found.elements <= height * width
    assert found.cycles * found.elements >= nest.macs  # every product has its element and cycle
    assert row_spread(nest, array(height + 1, width), aside).cycles <= found.cycles
    assert row_spread(nest, array(height, width + 1), aside).cycles <= found.cycles


def nests(graph: Graph) -> dict[str, Nest]:
    steps = steps_of(graph, lambda _: None).steps
    return {s.source: s.nest for s in steps if s.nest is not None}


def test_depthwise_sets_by_hand() -> None:
    found = nests(mobilenet_v1(seed=None))["depth12_conv"]
    # 1024 groups one after the other, 3 rows of filters x 7 of outputs; 7 x 3 turns each.
    alone = row_spread(found, array(64, 64), False)
    assert (alone.elements, alone.cycles) == (21, 1024 * 7 * 3)
    # 21 sets on each other and 9 side by side: 189 at once, in 6 turns; 171 would do.
    aside = row_spread(found, array(64, 64), True)
    assert aside.cycles == 6 * 7 * 3 and aside.elements >= 171 * 21


def test_what_it_cannot_lay_out_is_refused() -> None:
    nest = convolution(batch=1, units=1, channels=1, places=2, kernel=5, stride=1)
    with pytest.raises(UnsupportedError, match="5 rows"):
        row_spread(nest, array(4, 4), False)
    flat = replace(array(), axes=array().axes[:1])
    with pytest.raises(UnsupportedError, match="1 axes"):
        row_spread(nest, flat, False)
