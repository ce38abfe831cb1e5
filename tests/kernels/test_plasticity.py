"""Kernels of synapses that learn: the graph's references in fp32, bit for bit; refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.graph.ops.plasticity import Astrocyte, Stdp, Trace
from netwright.native import core

from .calls import Array, operand, run_all

few = settings(max_examples=30, deadline=None)
RISE, FALL = np.float32(0.2), np.float32(0.3)


def block_ends(targets: int, blocks: int) -> Array:
    """Where each block of targets ends: multiples of 16."""
    units = -(-targets // 16)
    return np.minimum(units * np.arange(1, blocks + 1) // blocks * 16, targets)


def rows(ends: tuple[Array, Array], sizes: tuple[int, int], blocks: int) -> tuple[Array, Array]:
    """Starts [blocks, sources + 1] and the order of the synapses, by plain loops."""
    (source, target), (sources, targets) = ends, sizes
    block = np.searchsorted(block_ends(targets, blocks), target, side="right")
    starts, order = [], list[int]()
    for b in range(blocks):
        row = [len(order)]
        for s in range(sources):
            order += [e for e in range(len(source)) if block[e] == b and source[e] == s]
            row.append(len(order))
        starts.append(row)
    return np.array(starts, np.int32), np.array(order, np.int32)


@st.composite
def cases(draw: Any) -> dict[str, Any]:
    random = np.random.default_rng(draw(st.integers(0, 999)))
    batch, sources, targets = (draw(st.integers(1, most)) for most in (3, 40, 40))
    edges = draw(st.integers(1, 300))
    source, target = random.integers(0, sources, edges), random.integers(0, targets, edges)
    if draw(st.booleans()):
        source = np.sort(source)  # then synapses need no numbers where there is one block
    end = random.choice([-3.0, 0.0, 3.0], edges)
    floats = {
        "weight": end / 3 * random.uniform(0, 3, (batch, edges)),
        "end": end,
        "pre": (random.random((1, batch, sources)) < 0.4) * random.choice([1.0, 0.5]),
        "post": random.random((1, batch, targets)) < 0.4,
        "trace_pre": random.uniform(0, 2, (batch, sources)),
        "trace_post": random.uniform(0, 2, (batch, targets)),
    }
    made = {name: np.asarray(value, np.float32) for name, value in floats.items()}
    return made | {"source": source, "target": target, "blocks": draw(st.integers(1, 3))}


def laid_out(g: dict[str, Any]) -> tuple[Array, Array | None, Array, Array]:
    """Starts, numbers (None where synapse k stands in place k), targets and the order."""
    sizes = g["pre"].shape[-1], g["post"].shape[-1]
    starts, order = rows((g["source"], g["target"]), sizes, g["blocks"])
    plain = np.array_equal(order, np.arange(len(order)))
    return starts, None if plain else order, g["target"][order].astype(np.int32), order


@few
@given(cases())
def test_stdp_is_that_of_the_graph(g: dict[str, Any]) -> None:
    """In fp32 in the same order of operations: the same bits."""
    fall = np.full((len(g["weight"]), 1), FALL)
    arrays = [g[n] for n in ("weight", "end", "source", "target", "pre", "post")]
    arrays += [g["trace_pre"], g["trace_post"], fall]
    (expected,) = Stdp(RISE).reference(arrays)
    assert expected.dtype == np.float32
    starts, numbers, targets, order = laid_out(g)
    by_target = np.argsort(g["target"], kind="stable").astype(np.int32)
    counts = np.bincount(g["target"], minlength=g["post"].shape[-1])
    inputs = [
        g["pre"], g["post"], g["trace_pre"], g["trace_post"], fall, starts, numbers, targets,
        g["end"][order], np.concatenate([[0], np.cumsum(counts)]).astype(np.int32), by_target,
        g["source"][by_target].astype(np.int32), g["end"][by_target],
    ]  # fmt: skip
    for (found,) in run_all("stdp", lambda: [g["weight"].copy()], inputs, [float(RISE), 1.0, 1.0]):
        np.testing.assert_array_equal(found, expected)


@few
@given(cases())
def test_sums_follow_a_plain_loop(g: dict[str, Any]) -> None:
    weight = np.rint(4 * g["weight"]) / 4  # sums are exact in any order
    targets = g["post"].shape[-1]
    expected = np.zeros((1, len(weight), targets), np.float32)
    for b in range(len(weight)):
        for e, (i, j) in enumerate(zip(g["source"], g["target"], strict=True)):
            expected[0, b, j] += weight[b, e] * g["pre"][0, b, i]
    starts, numbers, other, _ = laid_out(g)
    for (found,) in run_all(
        "plastic_connect",
        lambda: [np.full((1, len(weight), targets), np.nan, np.float32)],
        [g["pre"], weight, starts, numbers, other],
        [1.0],
    ):
        np.testing.assert_array_equal(found, expected)


@few
@given(st.integers(1, 3), st.integers(1, 70), st.integers(0, 99))
def test_traces_and_astrocytes_are_those_of_the_graph(batch: int, size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    spikes, inputs = (
        (random.random((1, batch, n)) < 0.4).astype(np.float32) for n in (size, 71 - size)
    )
    x = random.uniform(0, 2, (batch, size)).astype(np.float32)
    decay, jump = np.float32(0.9), np.float32(0.1)
    (expected,) = Trace(decay, jump).reference([spikes, x])
    for (found,) in run_all("spike_trace", lambda: [x.copy()], [spikes], [0.9, 0.1]):
        np.testing.assert_array_equal(found, expected)
    a = random.uniform(0, 0.3, (batch, 1)).astype(np.float32)
    cell = Astrocyte(np.float32(0.015), np.float32(100.0), np.float32(0.15))
    (expected,) = cell.reference([spikes, inputs, a])
    for (found,) in run_all(
        "astrocyte", lambda: [a.copy()], [spikes, inputs], [0.015, 100.0, 0.15]
    ):
        np.testing.assert_array_equal(found, expected)


def test_a_trace_ends_at_the_smallest_normal_number() -> None:
    """A number below it would slow down every step that meets it."""
    x = np.full((1, 9), 1.2e-38, np.float32)
    for (found,) in run_all(
        "spike_trace", lambda: [x.copy()], [np.zeros((1, 1, 9), np.float32)], [0.9, 0.1]
    ):
        np.testing.assert_array_equal(found, 0.0)


# Two sources, 40 targets in two blocks, three synapses: 0 -> 1, 0 -> 20, 1 -> 2.
WIRING: dict[str, Any] = {
    "starts": [[0, 1, 2], [2, 3, 3]],
    "synapses": [0, 2, 1],
    "targets": [1, 2, 20],
    "columns": [0, 0, 1, 2, *[2] * 17, *[3] * 20],
    "column_synapses": [0, 2, 1],
    "sources": [0, 1, 0],
}


def called(opcode: str, wiring: dict[str, Any]) -> None:
    index = {name: operand(np.array(value, np.int32)) for name, value in wiring.items()}
    weight, ends = operand(np.ones((1, 3), "f4")), operand(np.ones(3, "f4"))
    pre, post = operand(np.ones((1, 1, 2), "f4")), operand(np.ones((1, 1, 40), "f4"))
    row = [index["starts"], index["synapses"], index["targets"]]
    if opcode == "plastic_connect":
        core.call(opcode, [post, pre, weight, *row], [1.0])
        return
    traces = operand(np.ones((1, 2), "f4")), operand(np.ones((1, 40), "f4"))
    column = [index["columns"], index["column_synapses"], index["sources"], ends]
    fall = operand(np.ones((1, 1), "f4"))
    core.call(opcode, [weight, pre, post, *traces, fall, *row, ends, *column], [0.1, 1.0, 1.0])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("starts", [[0, 2, 1], [2, 3, 3]], "out of order"),
        ("starts", [[0, 1, 2], [2, 3, 4]], "out of order"),
        ("starts", [[-1, 1, 2], [2, 3, 3]], "out of order"),
        ("synapses", [0, 3, 1], "not there"),
        ("synapses", [0, -1, 1], "not there"),
        ("synapses", [0, 1, 1], "two blocks"),
        ("targets", [1, 20, 20], "outside its block"),
        ("targets", [1, 2, 40], "outside its block"),
        ("columns", [0, 1, 0, *[2] * 18, *[3] * 20], "out of order"),
        ("columns", [0, 0, 1, 2, *[2] * 17, *[4] * 20], "out of order"),
        ("column_synapses", [0, 1, 1], "two blocks"),
        ("column_synapses", [0, 2, 9], "not there"),
        ("sources", [0, 2, 0], "source that is not there"),
        ("sources", [0, 1], "not one index"),
    ],
)
def test_indices_that_would_reach_outside_are_refused(name: str, value: Any, message: str) -> None:
    opcodes = (
        ("stdp", "plastic_connect") if name in ("starts", "synapses", "targets") else ("stdp",)
    )
    for opcode in opcodes:
        called(opcode, WIRING)
        with pytest.raises(ValueError, match=message):
            called(opcode, WIRING | {name: value})
