"""Collectives follow the formulas of their rings and trees, and never pass a link's bandwidth."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.cost.collective import (
    all_gather_seconds,
    all_reduce_seconds,
    broadcast_seconds,
    bus_bytes_per_second,
    group,
    point_to_point_seconds,
    reduce_scatter_seconds,
)
from netwright.errors import MachineError
from netwright.machine.collectives import CollectiveMethod, Form
from netwright.machine.load import library_machine
from netwright.machine.machine import Axis, Link, Machine, Topology

START, HOP, INSIDE, BETWEEN = 1e-5, 2e-6, 2e11, 1e11


def cluster(*methods: CollectiveMethod, ports: int = 4) -> Machine:
    """Eight nodes of four."""
    node = library_machine("dgx-a100")
    source = node.axes[0].source
    inside = Link("in", "device", Topology.SWITCH, INSIDE, source, collectives=methods)
    between = Link("net", "node", Topology.FAT_TREE, BETWEEN, source, None, ports, methods)
    axes = (Axis("node", 8, source), Axis("device", 4, source))
    return replace(node, axes=axes, links=(inside, between))


RING = CollectiveMethod("ring", Form.RING, 0.5, START, HOP)
TREE = CollectiveMethod("tree", Form.TREE, 0.5, START, HOP)


def test_a_ring_inside_a_node_is_its_formula() -> None:
    among = group(cluster(RING), range(4))
    size = 3_000_000.0
    once = START + 3 * HOP + 3 / 4 * size / (0.5 * INSIDE)
    assert reduce_scatter_seconds(among, size) == pytest.approx(once)
    assert all_gather_seconds(among, size) == pytest.approx(once)
    twice = START + 6 * HOP + 6 / 4 * size / (0.5 * INSIDE)
    assert all_reduce_seconds(among, size) == pytest.approx(twice)
    along = START + 3 * HOP + size / (0.5 * INSIDE)
    assert broadcast_seconds(among, size) == pytest.approx(along)


def test_between_nodes_a_group_has_a_port_for_each_of_its_members_there() -> None:
    machine, size = cluster(RING), 1e9
    one = all_reduce_seconds(group(machine, range(0, 32, 4)), size)
    hops = 2 * 7 * HOP
    assert one == pytest.approx(START + hops + 14 / 8 * size / (0.5 * BETWEEN / 4))
    every = all_reduce_seconds(group(machine, range(32)), size)
    assert every == pytest.approx(START + 2 * 31 * HOP + 62 / 32 * size / (0.5 * BETWEEN))
    single = cluster(RING, ports=1)  # one card a node: a lone member has it all, four share it
    alone = all_reduce_seconds(group(single, range(0, 32, 4)), size)
    shared = all_reduce_seconds(group(single, range(0, 32, 4), sharers=4), size)
    assert alone - START - hops == pytest.approx((one - START - hops) / 4)
    assert shared == pytest.approx(one)


def test_the_cheapest_method_is_taken() -> None:
    both, ring, tree = (cluster(*m) for m in ((RING, TREE), (RING,), (TREE,)))
    for size in (1e3, 1e5, 1e7, 1e9):
        found = [all_reduce_seconds(group(m, range(32)), size) for m in (both, ring, tree)]
        assert found[0] == min(found)
    # Small: the tree's five hops and no more; large: the ring, which moves (n - 1) / n.
    few, many = (group(both, range(32)), group(tree, range(32)))
    assert all_reduce_seconds(few, 1.0) == all_reduce_seconds(many, 1.0)
    assert all_reduce_seconds(many, 1.0) == pytest.approx(START + 2 * (3 + 3) * HOP, rel=1e-4)


def test_links_without_a_common_method_run_a_plain_ring() -> None:
    machine = cluster(RING)
    inside, between = machine.links
    mixed = replace(machine, links=(inside, replace(between, collectives=(TREE,))))
    found = all_reduce_seconds(group(mixed, range(32)), 1e9)
    assert found == pytest.approx(62 / 32 * 1e9 / BETWEEN)


@given(st.integers(1, 32), st.floats(1.0, 1e10), st.integers(1, 4))
def test_laws(count: int, size: float, sharers: int) -> None:
    among = group(cluster(RING, TREE), range(count), sharers)
    whole = all_reduce_seconds(among, size)
    halves = reduce_scatter_seconds(among, size) + all_gather_seconds(among, size)
    assert whole <= halves * (1 + 1e-12)
    assert whole <= all_reduce_seconds(among, 2 * size)
    if count == 1:
        assert whole == 0.0
    else:
        assert bus_bytes_per_second(among, size) <= 0.5 * INSIDE


def test_two_members_exchange_over_one_port() -> None:
    machine = cluster(RING)
    assert point_to_point_seconds(machine, 5, 5, 1e9) == 0.0
    near = point_to_point_seconds(machine, 0, 3, 1e9)
    assert near == pytest.approx(START + HOP + 1e9 / (0.5 * INSIDE))
    far = point_to_point_seconds(machine, 3, 4, 1e9)
    assert far == pytest.approx(START + HOP + 1e9 / (0.5 * BETWEEN / 4))


def test_members_that_are_not_there_and_links_that_are_missing() -> None:
    machine = cluster()
    with pytest.raises(MachineError, match="it has 32"):
        group(machine, (31, 32))
    with pytest.raises(MachineError, match="each once"):
        group(machine, (1, 1))
    with pytest.raises(MachineError, match="no link joins the members of axis 'node'"):
        group(replace(machine, links=machine.links[:1]), (0, 4))


def test_nccl_on_eight_a100() -> None:
    """Vidur's network profile (commit 7d47513, MIT): a fifth at most off from 2 to 64 MiB."""
    among = group(library_machine("dgx-a100"), range(8))
    measured = {2: 0.070e-3, 4: 0.099e-3, 8: 0.155e-3, 32: 0.411e-3, 48: 0.516e-3, 64: 0.675e-3}
    for mebibytes, seconds in measured.items():
        assert all_reduce_seconds(among, mebibytes << 20) == pytest.approx(seconds, rel=0.22)


def test_members_of_a_cluster_fill_one_node_after_the_other() -> None:
    selene = library_machine("selene")
    assert [axis.name for axis in selene.axes] == ["node", "device"]
    assert [c.link.name for c in group(selene, range(8)).crossings] == ["nvlink"]
    assert [c.link.name for c in group(selene, (0, 8)).crossings] == ["infiniband"]
