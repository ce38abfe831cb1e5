"""ZigZag's answers from outside: what is malformed is refused with its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from netwright.cost.zigzag import read_layers
from netwright.errors import FormatError, MachineError

STORED = Path(__file__).parents[2] / "studies" / "chip" / "zigzag.json"


@pytest.fixture
def row() -> dict[str, Any]:
    return json.loads(STORED.read_text(encoding="utf-8"))["layers"][0]


def write(folder: Path, row: dict[str, Any]) -> Path:
    path = folder / "one.json"
    path.write_text(json.dumps({"layers": [row]}), encoding="utf-8")
    return path


def test_a_nest_computes_the_whole_layer() -> None:
    for row, layer in zip(
        json.loads(STORED.read_text(encoding="utf-8"))["layers"], read_layers(STORED), strict=True
    ):
        macs = 1
        for size in row["dims"].values():
            macs *= size
        placed = layer.placed
        assert placed.nest.macs == macs
        members = 1.0
        for share in placed.mapping.shares(placed.nest):
            members *= share
        assert placed.mapping.cycles * members == pytest.approx(macs)


def test_a_part_that_differs_is_named(tmp_path: Path, row: dict[str, Any]) -> None:
    row["energy_pj"]["per_level_per_operand"]["W"][0]["rd_out_to_low"] *= 1 + 1e-6
    (layer,) = read_layers(write(tmp_path, row))
    (line,) = layer.differences()
    assert line.startswith("/conv1/Conv: weights weight-register feed: ZigZag 7.37")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dims", 3, r"layers\[0\]: AttributeError"),
        ("stride", "two", r"layers\[0\]: ValueError.*two"),
        ("spatial_mapping", {"I": [["(K, 9)"]]}, "no axis with room for 9 of 'units'"),
        ("spatial_mapping", {"I": [["(Q, 8)"]]}, "KeyError.*Q"),
        ("temporal_mapping", {"I": [["(K, 8)"]], "W": [[]], "O": [[]]}, "differ in the order"),
        ("cycles", {"data_onloading": 1.0}, r"layers\[0\]: ValueError"),
        ("dims", {"K": float("inf"), "C": 3}, "OverflowError"),
        (
            "temporal_mapping",
            {"I": [["(K, 0)"], []], "W": [["(K, 0)"], [], []], "O": [["(K, 0)"], [], []]},
            "ZeroDivisionError",
        ),
        ("hardware", "a100-sxm-80", "has no array"),
    ],
)
def test_malformed(
    tmp_path: Path, row: dict[str, Any], key: str, value: object, message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        read_layers(write(tmp_path, row | {key: value}))


def test_a_machine_that_is_not_there(tmp_path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(MachineError):
        read_layers(write(tmp_path, row | {"hardware": "nowhere"}))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"layers": 3}', "[" * 100_000])
def test_no_json_with_layers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "none.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match="no JSON with `layers`"):
        read_layers(path)
