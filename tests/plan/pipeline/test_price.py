"""A network's passes on a machine: products counted exactly, chunks cut evenly, messages priced."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from netwright.cost.cost import Cost
from netwright.errors import JobError, PlanError, ProgramError
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.zoo.gpt import GptSizes, gpt
from netwright.machine.load import library_machine
from netwright.path.staged import staged
from netwright.plan.pipeline.build import BUILDERS, V_SHAPED, build, placement_for
from netwright.plan.pipeline.lower import lower_schedule
from netwright.plan.pipeline.partition import partition
from netwright.plan.pipeline.price import machine_prices, pass_seconds, work_of
from netwright.plan.pipeline.seconds import priced_program, seconds_of, with_seconds
from netwright.plan.pipeline.stages import chunks_of_network
from netwright.plan.pipeline.times import uniform_times
from netwright.plan.pipeline.v_shape import reorder
from netwright.program.file import load, save
from netwright.simulate.pipeline import replay
from netwright.timeline.timeline import Interval
from netwright.transform.cut import cut, cut_places
from netwright.transform.differentiate import differentiate
from netwright.transform.loss import with_cross_entropy

SIZES = GptSizes(vocabulary=64, width=32, layers=4, heads=2, tokens=16, batch=2, tied=False)
GRAPH = with_cross_entropy(gpt(SIZES))
CLUSTER, PI = library_machine("dgx-a100"), library_machine("raspberry-pi-5")


class Operations:
    """A second an operation: what is counted can then be told by hand."""

    def op(self, graph: Graph, op: Op) -> Cost:
        products = op.kind.__class__.__name__ in ("Linear", "MatMul")
        seconds = work_of(graph, op).num_operations if products else 0.0
        return Cost(seconds, None, Interval(seconds, seconds, 1.0), "count")

    def sum(self, elements: int) -> Cost:
        return Cost(0.0, None, Interval(0.0, 0.0, 1.0), "count")


def test_backward_does_twice_the_products_of_forward() -> None:
    """Narayanan et al., SC 2021, appendix: 24 b s h^2 (1 + s / 6h) a layer, and 2 b s h v."""
    b, s, h, v = SIZES.batch, SIZES.tokens, SIZES.width, SIZES.vocabulary
    forward = SIZES.layers * (24 * b * s * h * h + 4 * b * s * s * h) + 2 * b * s * h * v
    found = pass_seconds(differentiate(GRAPH), Operations())
    assert found.forward.expected == pytest.approx(forward, rel=0.02)  # biases, scales
    linear = forward - SIZES.layers * 4 * b * s * s * h
    assert found.input.expected == pytest.approx(2 * forward - linear, rel=0.02)
    assert found.weight.expected == pytest.approx(linear, rel=0.02)


@pytest.mark.parametrize("machine", [CLUSTER, PI])
def test_the_cut_is_the_best_of_all(machine) -> None:
    prices = machine_prices(GRAPH, machine, 1)
    places = cut_places(GRAPH)
    pieces = [pass_seconds(differentiate(p), prices).total for p in cut(GRAPH, places)]
    found = partition(GRAPH, 3, lambda piece: pass_seconds(differentiate(piece), prices).total)
    ends = range(1, len(pieces))
    best = min(
        max(sum(pieces[a:b]) for a, b in pairwise((0, *cuts, len(pieces))))
        for cuts in combinations(ends, 2)
    )
    assert max(found.seconds) == pytest.approx(best)
    assert sum(found.seconds) == pytest.approx(sum(pieces))


def test_stages_of_a_network_on_a_cluster() -> None:
    found = staged(GRAPH, CLUSTER, 4)
    (link,) = [one for one in CLUSTER.links if one.axis == "device"]
    size = 4 * SIZES.batch * SIZES.tokens * SIZES.width
    assert found.message_bytes == (size,) * 3
    latency = link.latency_seconds or 0.0
    assert found.times.transfer_seconds == pytest.approx(
        (latency + size / link.bandwidth_bytes_per_second,) * 4
    )
    assert sum(found.shares) == pytest.approx(1.0)
    with pytest.raises(JobError, match="500 stages, and it has 8 members of"):
        staged(GRAPH, CLUSTER, 500)
    with pytest.raises(PlanError, match="chunks at most"):
        chunks_of_network(GRAPH, 500, Operations())


def test_units_of_one_member_are_stages_too() -> None:
    found = staged(GRAPH, PI, 4)
    assert all(seconds > 0 for seconds in found.times.transfer_seconds)  # copied through memory
    with pytest.raises(JobError, match="5 stages, and it has 1 member of 4"):
        staged(GRAPH, PI, 5)


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "zb-auto"])
def test_a_priced_program_plays_itself(name: str, tmp_path) -> None:
    times = uniform_times(4, (1.0, 1.25, 0.75, 0.125))
    schedule = reorder(name, 4, 8) if name in V_SHAPED else build(name, 4, 8, times)
    assert schedule.placement == placement_for(name, 4)
    program = priced_program(schedule, times)
    assert program.simulate().seconds == replay(schedule, times).seconds
    path = tmp_path / "program.nwp"
    save(program, path)
    assert load(path).simulate().seconds == program.simulate().seconds


def test_a_program_without_prices_says_who_gives_them() -> None:
    bare = lower_schedule(build("1f1b", 2, 2))
    assert seconds_of(bare) is None
    with pytest.raises(ProgramError, match=r"carries no seconds .* `priced_program\(schedule"):
        bare.simulate()
    with pytest.raises(ProgramError, match="has no price"):
        with_seconds(bare, {("stage_forward", 0, 0): 1.0})
