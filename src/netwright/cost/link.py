"""Link: what a message between two members of a machine takes."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.errors import MachineError
from netwright.machine.machine import Axis, Link, Machine


def message_seconds(machine: Machine, sender: int, receiver: int, message_bytes: int) -> float:
    """Latency and bytes over the bandwidth of the outermost axis in which the two differ.

    Members are counted through the innermost axis first: neighbours share a node while it has room.
    A link without a published latency counts as having none.

    Raises:
        MachineError: there is no such member, or no link on that axis.
    """
    if not (0 <= sender < machine.num_devices and 0 <= receiver < machine.num_devices):
        raise MachineError(
            f"machine {machine.name}: members {sender} and {receiver}, and it has"
            f" {machine.num_devices}; use a machine with more, or fewer workers"
        )
    axis = _axis(machine, sender, receiver)
    if axis is None:
        return 0.0
    link = _link(machine, axis)
    return (link.latency_seconds or 0.0) + message_bytes / link.bandwidth_bytes_per_second


def ring_seconds(
    machine: Machine, members: Sequence[int], size_bytes: int, sharers: int = 1
) -> float:
    """An all-gather, or a reduce-scatter, of so many bytes by a ring over these members.

    Each of the n - 1 turns moves one n-th over every neighbour's link at once, and the slowest
    counts; twice this is an all-reduce (Patarasuk and Yuan, JPDC 2009). `sharers`: rings that use
    the same links at the same time.

    Raises:
        MachineError: as `message_seconds`.
    """
    count = len(members)
    if count < 2:
        return 0.0
    part = -(-size_bytes * sharers // count)
    turns = zip(members, (*members[1:], members[0]), strict=True)
    return (count - 1) * max(message_seconds(machine, a, b, part) for a, b in turns)


def _axis(machine: Machine, sender: int, receiver: int) -> Axis | None:
    """The outermost axis in which two members differ; None when they are one."""
    found: Axis | None = None
    for axis in reversed(machine.axes):
        if sender % axis.count != receiver % axis.count:
            found = axis
        sender, receiver = sender // axis.count, receiver // axis.count
    return found


def _link(machine: Machine, axis: Axis) -> Link:
    links = [link for link in machine.links if link.axis == axis.name]
    if not links:
        raise MachineError(
            f"machine {machine.name}: no link joins the members of axis {axis.name!r}; add one"
            " under links"
        )
    return max(links, key=lambda link: link.bandwidth_bytes_per_second)
