"""Layouts: their laws, memory as published, and a search that equals brute force."""

from dataclasses import replace
from itertools import product as every

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cost.cost import Setting
from netwright.cost.estimate import estimate
from netwright.cost.transformer import (
    Part,
    Transformer,
    head_forward,
    layer_backward,
    layer_forward,
)
from netwright.errors import JobError, MachineError, PlanError
from netwright.graph.analysis import analyse
from netwright.graph.zoo import gpt
from netwright.graph.zoo.gpt import GptSizes
from netwright.machine.load import library_machine
from netwright.machine.machine import Machine
from netwright.plan.parallel.layout import Layout, Recompute, Space, check_layout, layouts
from netwright.plan.parallel.memory import device_memory, layer_bytes, memory_infeasible
from netwright.plan.parallel.price import Pricer, pricer
from netwright.plan.parallel.program import step_program
from netwright.plan.parallel.search import search
from netwright.plan.parallel.step import least_seconds, step

SMALL = Transformer(hidden=1024, layers=8, heads=16, sequence=512, vocabulary=4096)
NODE = library_machine("dgx-a100")
GIBIBYTE = 2.0**30


@pytest.fixture(scope="module")
def small() -> Pricer:
    return pricer(SMALL, NODE)


def small_memory(capacity_bytes: int) -> Machine:
    memories = tuple(
        replace(m, capacity_bytes=capacity_bytes) if m.name == "hbm2e" else m for m in NODE.memories
    )
    return replace(NODE, memories=memories)


def test_the_work_of_a_layer_is_that_of_the_same_network() -> None:
    """The products are those of the zoo's GPT, counted operator by operator."""

    def counted(layers: int) -> tuple[float, float]:
        sizes = GptSizes(SMALL.vocabulary, SMALL.hidden, layers, SMALL.heads, SMALL.sequence, 2)
        found = analyse(gpt(sizes, seed=None), {})
        return found.macs, found.weight_elements

    part = Part(SMALL, 2)
    ends, layer = (
        sum(w.num_operations for w in works) for works in (head_forward(part), layer_forward(part))
    )
    one, two = counted(1), counted(2)
    assert layer == pytest.approx(2 * (two[0] - one[0]), rel=0.01)
    assert ends == pytest.approx(2 * (2 * one[0] - two[0]), rel=0.01)
    back = sum(w.num_operations for w in layer_backward(part))
    assert back == pytest.approx(2 * layer)
    assert SMALL.operations(2) == pytest.approx(3 * (8 * layer + ends), rel=1e-9)
    assert SMALL.parameters == counted(8)[1]


@given(st.sampled_from([1, 2, 4, 8, 16]), st.integers(1, 4))
def test_parts_do_the_whole(tensor: int, sequences: int) -> None:
    whole, part = Part(SMALL, sequences), Part(SMALL, sequences, tensor)
    for works in (layer_forward, layer_backward, head_forward):
        together = tensor * sum(w.num_operations for w in works(part))
        assert together == pytest.approx(sum(w.num_operations for w in works(whole)))
    along = replace(part, along_sequence=tensor > 1)
    moved = [sum(w.num_bytes for w in layer_forward(p)) for p in (whole, part, along)]
    assert moved[0] >= moved[1] >= moved[2] >= moved[0] / tensor


def test_one_part_is_no_tensor_parallelism(small: Pricer) -> None:
    """On one device: the operators one after the other, the sums, and nothing else."""
    layout = Layout(microbatch=2, recompute=Recompute.NONE)
    found, m = step(small, layout, 4), 2
    assert found.pipeline_seconds == pytest.approx(found.pass_seconds)
    assert found.after.data_seconds == found.after.embedding_seconds == 0.0
    assert found.bubble_rate == pytest.approx(0.0)
    works = [*layer_forward(Part(SMALL, 2)), *layer_backward(Part(SMALL, 2))]
    setting = Setting(small.unit.count)
    layer = sum(estimate(NODE, small.unit, work, setting).seconds for work in works)
    more = step(pricer(replace(SMALL, layers=9), NODE), layout, 4)
    sums = 14 * SMALL.layer_parameters / (0.66 * 2.039e12)  # 10 bytes, and Adam's beside
    assert m * layer < more.pipeline_seconds - found.pipeline_seconds < m * (layer + sums)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([(1, 8, 1), (2, 4, 1), (4, 2, 1), (2, 2, 2), (8, 1, 1), (1, 2, 4), (1, 1, 8)]),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2]),
    st.sampled_from(list(Recompute)),
    st.booleans(),
)
def test_laws_of_a_step(
    shape: tuple[int, int, int], size: int, chunks: int, recompute: Recompute, along: bool
) -> None:
    t, p, d = shape
    chunks = chunks if p < 8 and p > 1 else 1
    layout = Layout(t, p, d, size, chunks, recompute, along and t > 1)
    made = step(pricer(SMALL, NODE), layout, 64)
    assert made.bound_seconds <= made.pipeline_seconds * (1 + 1e-9)
    assert made.pass_seconds <= made.pipeline_seconds * (1 + 1e-9)
    assert least_seconds(pricer(SMALL, NODE), 8, 64) < made.seconds
    for least, expected in (
        (made.passes.forward_least, made.passes.forward),
        (made.passes.backward_least, made.passes.backward),
    ):
        assert all(a <= b for a, b in zip(least, expected, strict=True))


def test_the_engine_plays_the_same_step(small: Pricer) -> None:
    for layout in (Layout(2, 4, 1, 1, 2), Layout(1, 4, 2, 2)):
        made = step(small, layout, 16)
        played = step_program(made).simulate()
        assert played.seconds == pytest.approx(made.pipeline_seconds)


def test_memory_falls_with_tensor_parts_and_sharding() -> None:
    network = Transformer(6144, 48, 64)
    for recompute, along in every(Recompute, (False, True)):
        totals = [
            device_memory(network, Layout(t, 1, 8, 1, 1, recompute, along and t > 1), 8).total_bytes
            for t in (1, 2, 4, 8)
        ]
        assert totals == sorted(totals, reverse=True)
        assert len(set(totals)) == 4
    plain, sharded = (device_memory(network, Layout(8, 1, 8, sharded=s), 8) for s in (False, True))
    assert sharded.state_bytes == plain.state_bytes / 8
    assert sharded.activation_bytes == plain.activation_bytes


def test_layers_keep_what_korthikanti_says() -> None:
    """Arxiv 2205.05198, table 2, for 175 billion: 34 + 5 a s / h is 114."""
    network = Transformer(12288, 96, 96)
    whole, layout = 2048 * 12288, Layout(8, 8)
    assert layer_bytes(network, replace(layout, recompute=Recompute.FULL)) == 2 * whole
    none = replace(layout, recompute=Recompute.NONE)
    assert layer_bytes(network, none) == pytest.approx(whole * (10 + (24 + 80) / 8))
    along = replace(none, along_sequence=True)
    assert layer_bytes(network, along) == pytest.approx(whole / 8 * 114)
    selective = replace(along, recompute=Recompute.SELECTIVE)
    assert layer_bytes(network, selective) == pytest.approx(whole / 8 * 34)


def test_activations_are_those_of_figure_1() -> None:
    """Arxiv 2205.05198, figure 1 as digitised by Calculon: GiB, read off to a few per cent."""
    for network, layout, published in (
        (Transformer(6144, 48, 64), Layout(8, 1, 1, 4), (59.25, 9.5625)),
        (Transformer(12288, 96, 96), Layout(8, 8, 1, 1, 3), (66.84375, 12.3515625)),
        (Transformer(20480, 105, 128), Layout(8, 35, 1, 1, 3), (114.0234375, 23.076171875)),
        (Transformer(25600, 128, 160), Layout(8, 64), (131.25, 26.5625)),
    ):
        batch = 4 * layout.pipeline if layout.microbatch == 4 else 8 * layout.pipeline
        for recompute, expected in zip(
            (Recompute.NONE, Recompute.SELECTIVE), published, strict=True
        ):
            one = replace(
                layout, recompute=recompute, along_sequence=recompute is Recompute.SELECTIVE
            )
            found = device_memory(network, one, batch).activation_bytes / GIBIBYTE
            assert found == pytest.approx(expected, rel=0.03)


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([2, 4, 8]),
    st.sampled_from([8, 12, 16]),
    st.sampled_from([3 * 2**28, 2**30, 2**31, 2**34]),
    st.sampled_from([(Recompute.FULL,), tuple(Recompute)]),
)
def test_the_search_is_brute_force(
    devices: int, batch: int, capacity: int, recomputes: tuple[Recompute, ...]
) -> None:
    machine = small_memory(capacity)
    prices = pricer(SMALL, machine)
    space = Space(devices, batch, recomputes, (False, True), (False, True), (1, 2, 3))
    found = search(prices, space)
    steps = [
        step(prices, one, batch)
        for one in layouts(SMALL, space, 8)
        if memory_infeasible(SMALL, one, batch, capacity) is None
    ]
    assert len(found.candidates) == len(steps)
    if not steps:
        assert found.best is None
        assert found.infeasible is not None
        assert found.infeasible.levers
        return
    assert found.best is not None
    assert found.best.seconds == min(one.seconds for one in steps)
    by_layout = {one.layout: one.seconds for one in steps}
    for one in found.candidates:
        assert one.seconds <= by_layout[one.layout] * (1 + 1e-9)
        assert not one.played or one.seconds == by_layout[one.layout]
    assert sum(one.played for one in found.candidates) <= len(steps)


def test_the_space_holds_every_layout_once() -> None:
    space = Space(8, 16, tuple(Recompute), (False, True), (False, True), (1, 2))
    found = list(layouts(SMALL, space, 8))
    assert len(set(found)) == len(found)
    counted = 0
    for t, p, d, size, v in every(range(1, 9), range(1, 9), range(1, 9), (1, 2), range(1, 9)):
        if t * p * d != 8 or (p == 1 and v > 1):
            continue
        try:
            check_layout(Layout(t, p, d, size, v), SMALL, 16)
        except JobError:
            continue
        counted += 3 * (2 if t > 1 else 1) * (2 if d > 1 else 1)
    assert len(found) == counted


def test_what_does_not_fit_says_what_would() -> None:
    network = Transformer(12288, 96, 96)
    found = memory_infeasible(network, Layout(8, 8, 1, 8, 1, Recompute.NONE), 64, 80 * 2**30)
    assert found is not None
    assert found.demand == pytest.approx(sum(term.value for term in found.terms))
    assert found.demand > found.limit
    assert any("recompute full" in lever.name for lever in found.levers)
    assert all(lever.demand <= found.limit for lever in found.levers)


@pytest.mark.parametrize(
    ("layout", "batch", "says"),
    [
        (Layout(3), 8, "divisor of all three"),
        (Layout(1, 3), 8, "equal chunks"),
        (Layout(1, 1, 3), 8, "multiple of d x micro-batch"),
        (Layout(1, 1, 1, 1, 2), 8, "two stages or more"),
        (Layout(1, 4, 1, 1, 2), 6, "multiple of 4"),
        (Layout(1, along_sequence=True), 8, "2 or more"),
        (Layout(0), 8, "below 1"),
    ],
)
def test_layouts_that_do_not_divide(layout: Layout, batch: int, says: str) -> None:
    with pytest.raises(JobError, match=says):
        check_layout(layout, SMALL, batch)


def test_questions_without_an_answer(small: Pricer) -> None:
    with pytest.raises(MachineError, match="it has 8"):
        search(small, Space(16, 16))
    with pytest.raises(PlanError, match="change the number of devices"):
        search(small, Space(7, 16))
    with pytest.raises(JobError, match="expected all from 1 up"):
        search(small, Space(8, 0))
    with pytest.raises(JobError, match="heads to divide"):
        Transformer(100, 2, 3)
