"""Spiking kernels alone: words of the generator, both forms, parts, and what is refused."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import ProgramError
from netwright.graph.ops.philox import chance_bound, philox, poisson_bounds, words
from netwright.native import core
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task
from netwright.run.native import NativeRuntime

from .calls import Array, operand, run_all

few = settings(max_examples=25, deadline=None)
UINT16 = 10


def bits_of(spikes: Array) -> Array:
    """Rows of whole words of 64 bits."""
    padded = np.zeros((len(spikes), -(-spikes.shape[1] // 64) * 64), bool)
    padded[:, : spikes.shape[1]] = spikes
    return np.packbits(padded, axis=1, bitorder="little")


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0,) * 4, (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_words(counter: Any, key: Any, expected: Any) -> None:
    """The known answers of Random123 for philox4x32-10."""
    found = philox(tuple(np.array([c], np.uint64) for c in counter), key)
    assert tuple(int(word[0]) for word in found) == expected


@few
@given(st.integers(1, 200), st.integers(0, 2**62), st.integers(0, 2**62), st.floats(0.0, 20.0))
def test_poisson_numbers_are_those_of_the_graph(
    neurons: int, seed: int, step: int, mean: float
) -> None:
    bounds = poisson_bounds(mean)
    drawn = words(neurons, step, seed, 7).astype(np.int64)
    expected = 0.5 * np.searchsorted(bounds, drawn, side="right")
    inputs = [np.array([step]), bounds]
    for (found,) in run_all(
        "poisson", lambda: [np.full((1, neurons), 9.0, "f4")], inputs, [seed, 7, 1, 0.5]
    ):
        np.testing.assert_array_equal(found[0], expected.astype("f4"))


def test_poisson_numbers_have_the_mean_and_variance_of_their_law() -> None:
    for mean in (0.01, 0.5, 2.0, 12.0):
        drawn = words(100_000, 3, 5, 1).astype(np.int64)
        events = np.searchsorted(poisson_bounds(mean), drawn, side="right")
        deviation = (mean / 100_000) ** 0.5
        assert abs(events.mean() - mean) < 5 * deviation
        assert abs(events.var() - mean) < 5 * (deviation + mean * (2 / 100_000) ** 0.5)


@few
@given(st.integers(1, 150), st.integers(0, 2**40), st.booleans())
def test_sources_fire_by_their_chance(neurons: int, seed: int, own: bool) -> None:
    random = np.random.default_rng(seed % 997)
    chance = random.random(neurons if own else 1)
    bounds = np.array([chance_bound(c) for c in chance])
    expected = words(neurons, 5, seed, 2).astype(np.int64) < bounds
    width = -(-neurons // 64) * 8
    for ring, record in run_all(
        "spike_source",
        lambda: [np.zeros((3, width), np.uint8), np.zeros((4, width), np.uint8)],
        [np.array([5]), bounds],
        [seed, 2, neurons, 1.0],
    ):
        np.testing.assert_array_equal(ring[2], bits_of(expected[None])[0])
        np.testing.assert_array_equal(record[1], ring[2])


def rows(random: np.random.Generator, sources: int, targets: int, blocks: int) -> tuple[Any, Any]:
    """Starts [blocks, sources + 1] and targets, each block's own."""
    units = -(-targets // 16)
    edges = [min(units * b // blocks * 16, targets) for b in range(blocks + 1)]
    starts, target = [], []
    for low, high in pairwise(edges):
        row = [len(target)]
        for _ in range(sources):
            if high > low:
                target += random.integers(low, high, random.integers(0, 6)).tolist()
            row.append(len(target))
        starts.append(row)
    return np.array(starts, np.int32), np.array(target or [0], np.int64)


@few
@given(
    st.integers(1, 80), st.integers(1, 90), st.integers(1, 4), st.booleans(), st.booleans(),
    st.integers(0, 99),
)  # fmt: skip
def test_scatter_follows_a_plain_loop(
    sources: int, targets: int, blocks: int, narrow: bool, own: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    starts, target = rows(random, sources, targets, blocks)
    weight = random.integers(-4, 5, len(target) if own else 1).astype("f4") / 4
    spikes = random.random((3, sources + 5)) < 0.4
    expected = np.ones(targets, "f4")
    for block in starts:
        for source in np.flatnonzero(spikes[0, 5:]):  # step 8 less 2 is in row 0 of 3
            for k in range(block[source], block[source + 1]):
                expected[target[k]] += weight[k if own else 0]
    index = operand(target.astype(np.uint16), UINT16) if narrow else operand(target.astype("i4"))
    for parts in (1, 2, 3):
        out = np.ones((1, targets), "f4")
        given_ = [np.array([8]), bits_of(spikes), starts]
        operands = [operand(out), *(operand(o) for o in given_), index, operand(weight)]
        for part in range(parts):
            core.call("spike_scatter", operands, [2, 5, sources, 0, 1.0], part, parts)
        np.testing.assert_array_equal(out[0], expected)


@pytest.mark.parametrize(
    ("starts", "target", "message"),
    [
        ([[0, 2, 1]], [0, 1], "out of order"),
        ([[0, 1, 9]], [0, 1], "out of order"),
        ([[-1, 1, 2]], [0, 1], "out of order"),
        ([[0, 1, 2]], [0, 40], "outside its block"),
        ([[0, 1, 1], [1, 1, 2]], [0, 3], "outside its block"),
    ],
)
def test_indices_that_would_reach_outside_are_refused(
    starts: Any, target: Any, message: str
) -> None:
    out, ring = np.zeros((1, 40), "f4"), np.zeros((1, 8), np.uint8)
    index = operand(np.array(target, np.uint16), UINT16)
    operands = [operand(o) for o in (out, np.array([0]), ring, np.array(starts, np.int32))]
    with pytest.raises(ValueError, match=message):
        core.call("spike_scatter", [*operands, index, operand(np.ones(1, "f4"))], [1, 0, 2, 0, 1.0])


def test_indices_must_lie_where_no_task_writes() -> None:
    """What was checked once could be changed by another task."""
    arenas = (Arena("state", ArenaKind.STATE, 1024, "ram"),)
    total = Operand(0, 0, "fp32", (1, 16), (64, 4))
    clock, ring = Operand(0, 64, "int64", (1,), (8,)), Operand(0, 128, "uint8", (1, 8), (8, 1))
    starts = Operand(0, 192, "int32", (1, 3), (12, 4))
    target = Operand(0, 256, "uint16", (2,), (2,))
    weight = Operand(0, 320, "fp32", (1,), (4,))
    read = (clock, ring, starts, target, weight)
    task = Task("spike_scatter", (total, *read), (1, 0, 2, 0, 1.0), (), 1, "arrow")
    program = Program("hostile", arenas, (Entry("step", (task,), (), 0, (), ()),))
    with pytest.raises(ProgramError, match="trusts indices in memory that tasks may write"):
        NativeRuntime(program)


@few
@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 70), st.integers(0, 2**40), st.booleans()
)
def test_a_row_is_that_of_the_step(to: int, given_: int, wide: int, step: int, bits: bool) -> None:
    random = np.random.default_rng(step % 97)
    form = "u1" if bits else "f4"
    rows = random.integers(0, 255, (given_, wide)).astype(form)
    before = random.integers(0, 255, (to, wide)).astype(form)
    expected = before.copy()
    expected[step % to] = rows[step % given_]
    for (found,) in run_all("row_copy", lambda: [before.copy()], [rows, np.array([step])], []):
        np.testing.assert_array_equal(found, expected)


def test_repeats_are_held_in_bounds() -> None:
    arenas = (Arena("state", ArenaKind.STATE, 64, "ram"),)
    clock = Operand(0, 0, "int64", (1,), (8,))
    task = Task("tick", (clock,), (), (), 1, "tick")
    for repeats, message in ((0, "repeats are out of range"), (2**31, "repeats are out of range")):
        entry = Entry("step", (task,), (), 0, (), (("clock", clock),), repeats=repeats)
        with pytest.raises(ProgramError, match=message):
            NativeRuntime(Program("long", arenas, (entry,)))
    entry = Entry("step", (task,), (), 0, (), (("clock", clock),), repeats=1234)
    for threads in (1, 3):
        runtime = NativeRuntime(Program("long", arenas, (entry,), threads=threads))
        assert runtime.call("step", {}, {})["clock"] == 1234


@few
@given(st.integers(1, 70), st.sampled_from((1, 7, 64, 200)), st.integers(0, 99))
def test_rows_of_matrices_are_added(sources: int, targets: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    weight = random.integers(-8, 9, (sources, targets)).astype("f4") / 8
    spikes = random.random((2, sources)) < 0.3
    expected = weight[spikes[1]].sum(axis=0)
    inputs = [np.array([4]), bits_of(spikes), weight]
    for (found,) in run_all(
        "spike_rows", lambda: [np.ones((1, targets), "f4")], inputs, [1, 0, sources, 1, 1.0]
    ):
        np.testing.assert_array_equal(found[0], expected)
    x = (random.random((5, sources)) < 0.2) * random.integers(1, 3, (5, sources)).astype("f4")
    bias = random.integers(-4, 5, targets).astype("f4")
    for given_bias in (None, bias):
        product = x @ weight + (0 if given_bias is None else given_bias)
        for (found,) in run_all(
            "matmul_spikes",
            lambda: [np.full((5, targets), np.nan, "f4")],
            [x.astype("f4"), weight, given_bias],
            [0.2],
        ):
            np.testing.assert_array_equal(found, product)
