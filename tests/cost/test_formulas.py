"""Work of every opcode: against counts done by hand or by walking the loops."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.cost import FORMULAS, Shape, TrafficKind, work
from netwright.cost.formulas.attention import attended
from netwright.cost.storage import BLOCKS
from netwright.errors import ProgramError, UnsupportedError
from netwright.graph.extent import symbol
from netwright.machine.probe.points_language import language_points
from netwright.machine.probe.points_vision import vision_points

ROOT = Path(__file__).parents[2]
POINTS = (*language_points(), *vision_points())


def test_every_opcode_of_the_table_has_a_formula() -> None:
    text = (ROOT / "native/vm/opcodes.md").read_text()
    rows = [line.split("|")[1:3] for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    # From 64 on they are what workers of a pipeline do: no kernels of the core, no formulas here.
    names = {row[1].strip() for row in rows if int(row[0]) < 64}
    extra = re.findall(r"\d+ (\w+)", " ".join(n for n in names if "," in n))
    listed = {n.split(",")[0] for n in names} | set(extra)
    assert listed <= set(FORMULAS), listed - set(FORMULAS)


def test_sizes_of_formats_are_those_of_the_core() -> None:
    text = (ROOT / "native/vm/format.hpp").read_text()
    for names, elements, size in re.findall(
        r"((?:case Format::\w+: ?)+)return \{(\d+), (\d+)\}", text
    ):
        for name in re.findall(r"Format::(\w+)", names):
            if not name.startswith("act8"):
                assert BLOCKS[name] == (int(elements), int(size)), name


@pytest.mark.parametrize("opcode", sorted({p.opcode for p in POINTS}))
def test_probe_points_are_keyed_as_their_work(opcode: str) -> None:
    for point in POINTS:
        if point.opcode == opcode:
            task = work(point.opcode, point.operands, point.parameters, {})
            assert (task.variant, task.sizes) == (point.variant, point.sizes)


@given(st.integers(1, 20), st.integers(0, 30), st.booleans(), st.integers(0, 12))
def test_attended_pairs_are_those_of_the_mask(
    queries: int, past: int, causal: bool, window: int
) -> None:
    """By walking the mask: query i stands at past + i, sees keys up to it, at most `window`."""
    keys = queries + past
    seen = sum(
        1
        for i in range(queries)
        for j in range(keys)
        if not causal or (j <= past + i and (not window or past + i - j < window))
    )
    assert attended(queries, keys, causal, window) == seen


def test_a_product_by_hand() -> None:
    tokens = symbol("n_tokens")
    operands = [
        Shape("fp32", (tokens, 192)),
        Shape("act8x32", (tokens, 576)),
        Shape("q4_1", (192, 576)),
        Shape("fp32", (192,)),
        Shape("fp32", (tokens, 192)),
    ]
    task = work("matmul_quant", operands, [0, 0.0, 0.0], {"n_tokens": 7})
    assert dict(task.operations) == {"int8": 2 * 7 * 576 * 192}
    weights, activations = task.traffic
    assert weights.kind is TrafficKind.WEIGHTS
    assert weights.read_bytes == 192 * 576 // 32 * 20 + 4 * 192
    assert activations.read_bytes == 7 * 576 // 32 * 44 + 4 * 7 * 192
    assert activations.written_bytes == 4 * 7 * 192
    assert task.sizes == (7, 576, 192)


def test_a_convolution_by_hand() -> None:
    operands = [
        Shape("fp32", (1, 32, 56, 56)),
        Shape("fp32", (1, 16, 112, 112)),
        Shape("bytes", (32 * 16 * 9 * 4,)),
        None,
        None,
    ]
    task = work("conv_packed", operands, [3, 3, 2, 2, 1, 1, 1, 1, 1, 0, 0.0, 0.0], {})
    assert dict(task.operations) == {"fp32": 2 * 56 * 56 * 32 * 16 * 9}
    assert task.variant == "window"


def test_a_broadcast_operand_is_counted_once() -> None:
    full, line = (4, 8, 16), (0, 0, 4)
    operands = [
        Shape("fp32", full, (512, 64, 4)),
        Shape("fp32", full, (512, 64, 4)),
        Shape("fp32", full, line),
    ]
    task = work("binary", operands, [0, 0, 0.0, 0.0], {})
    assert task.traffic[0].read_bytes == 4 * 8 * 16 * 4 + 16 * 4


def test_gathering_rows_reads_only_those_rows() -> None:
    operands = [Shape("fp32", (3, 576)), Shape("q8_0", (49152, 576)), Shape("int32", (3,))]
    task = work("gather_rows", operands, [1.0], {})
    assert task.traffic[0].read_bytes == 3 * 576 // 32 * 34


def test_an_unknown_opcode_is_named() -> None:
    with pytest.raises(UnsupportedError, match="no formula for opcode 'warp'"):
        work("warp", [], [], {})


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(UnsupportedError, match="'q9'"):
        work("fill", [Shape("q9", (3,))], [0.0], {})


def test_an_absent_operand_is_named() -> None:
    with pytest.raises(ProgramError, match="matmul_quant: operand 2 is absent"):
        work("matmul_quant", [Shape("fp32", (1, 2)), Shape("act8x32", (1, 32))], [0, 0.0, 0.0], {})
