"""Messages take the link of the outermost axis that they cross."""

from dataclasses import replace

import pytest

from netwright.cost.link import message_seconds, ring_seconds
from netwright.errors import MachineError
from netwright.machine.load import library_machine
from netwright.machine.machine import Axis, Link, Topology


def cluster():
    node = library_machine("dgx-a100")
    source = node.axes[0].source
    between = Link("net", "node", Topology.FAT_TREE, 2.5e10, source, latency_seconds=5e-6)
    return replace(node, axes=(Axis("node", 4, source), *node.axes), links=(*node.links, between))


def test_inside_a_node_and_between_two() -> None:
    machine = cluster()
    inside = {link.name: link for link in machine.links}["nvlink"]
    expected = 3e8 / inside.bandwidth_bytes_per_second + (inside.latency_seconds or 0)
    assert message_seconds(machine, 0, 7, 300_000_000) == pytest.approx(expected)
    assert message_seconds(machine, 7, 8, 300_000_000) == pytest.approx(5e-6 + 3e8 / 2.5e10)
    assert message_seconds(machine, 8, 7, 1) == message_seconds(machine, 7, 8, 1)
    assert message_seconds(machine, 3, 3, 10) == 0.0


def test_members_that_are_not_there_and_links_that_are_missing() -> None:
    machine = cluster()
    with pytest.raises(MachineError, match="it has 32"):
        message_seconds(machine, 31, 32, 1)
    alone = replace(machine, links=())
    with pytest.raises(MachineError, match="no link joins the members of axis 'node'"):
        message_seconds(alone, 0, 8, 1)


def test_a_ring_moves_all_but_the_own_part() -> None:
    machine = library_machine("selene")
    inside = ring_seconds(machine, range(8), 8 << 20)
    one = message_seconds(machine, 0, 1, 1 << 20)
    assert inside == pytest.approx(7 * one)
    across = ring_seconds(machine, range(0, 64, 8), 8 << 20)
    assert across == pytest.approx(7 * message_seconds(machine, 0, 8, 1 << 20))
    assert ring_seconds(machine, range(0, 64, 8), 8 << 20, sharers=8) > 7 * across
    assert ring_seconds(machine, (3,), 8 << 20) == 0.0
