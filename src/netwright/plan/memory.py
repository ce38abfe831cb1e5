"""Memory: order and addresses together, in place where allowed, with one certificate for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.plan.allocate import (
    DEFAULT_NODES,
    Block,
    Outcome,
    Packing,
    pack_blocks,
)
from netwright.plan.certificate import Certificate
from netwright.plan.order import (
    DEFAULT_STATES,
    Flow,
    MemoryBuffer,
    MemoryOp,
    Order,
    make_flow,
    order_tasks,
)


@final
@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """How hard to search. The plan depends on these alone, never on a clock."""

    states: int = DEFAULT_STATES  # sets of finished tasks, for the order
    nodes: int = DEFAULT_NODES  # placements, for the addresses


@final
@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """`order` permutes the tasks; `offsets` has one address a buffer (views included)."""

    order: tuple[int, ...]
    offsets: tuple[int, ...]
    peak_bytes: int
    in_place: tuple[tuple[int, int], ...]  # (source, target) that share their bytes
    certificate: Certificate

    def verdict(self, capacity_bytes: int) -> Outcome:
        """Whether it fits: FOUND, IMPOSSIBLE (proved for every order), or STOPPED (not known)."""
        if self.peak_bytes <= capacity_bytes:
            return Outcome.FOUND
        bound = self.certificate.bound
        return Outcome.STOPPED if bound is None or bound <= capacity_bytes else Outcome.IMPOSSIBLE


@final
@dataclass(frozen=True, slots=True)
class _Addresses:
    offsets: tuple[int, ...]
    in_place: tuple[tuple[int, int], ...]
    packing: Packing


def plan_memory(
    ops: tuple[MemoryOp, ...],
    buffers: tuple[MemoryBuffer, ...],
    limit: MemoryLimit | None = None,
) -> MemoryPlan:
    """The order and the addresses whose highest byte is lowest, as far as the limit allows.

    The bound holds for every order and every placement of buffers that keep one place for life,
    in-place pairs of equal padded size included.

    Raises:
        PlanError: the records make no sense, or pre-placed buffers collide.
    """
    limit = MemoryLimit() if limit is None else limit
    flow = make_flow(ops, buffers)
    ordered = order_tasks(ops, buffers, limit.states)
    listed = tuple(range(len(ops)))
    best, found = ordered.tasks, _place(ordered.tasks, flow, buffers, limit)
    bound = _bound(ordered, flow, buffers)
    if found.packing.height_bytes > bound and ordered.tasks != listed:
        # The fewest bytes alive may still leave holes; the order as listed may not.
        other = _place(listed, flow, buffers, limit)
        if other.packing.height_bytes < found.packing.height_bytes:
            best, found = listed, other
    peak = found.packing.height_bytes
    exact = "exact" if found.packing.proved else "best-found"
    method = f"{ordered.certificate.method}; {exact} addresses, {found.packing.nodes} nodes"
    certificate = Certificate("peak_bytes", peak, bound, method, peak == bound)
    return MemoryPlan(best, found.offsets, peak, found.in_place, certificate)


def lifetimes(
    order: tuple[int, ...], flow: Flow, buffers: tuple[MemoryBuffer, ...]
) -> tuple[tuple[int, int] | None, ...]:
    """Of each root buffer, the positions `[first, last + 1)` it is alive at; None: never."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for position, task in enumerate(order):
        for b in flow.touched[task]:
            first.setdefault(b, position)
            last[b] = position
    end = max(len(order), 1)
    result: list[tuple[int, int] | None] = []
    for index, b in enumerate(buffers):
        alive = index in first or b.from_start or b.to_end
        if b.alias_of is not None or not alive or b.size_bytes == 0:
            result.append(None)
            continue
        # What no task touches is alive all the time: nothing says when it comes or goes.
        lower = 0 if b.from_start else first.get(index, 0)
        result.append((lower, end if b.to_end or index not in last else last[index] + 1))
    return tuple(result)


def _place(
    order: tuple[int, ...], flow: Flow, buffers: tuple[MemoryBuffer, ...], limit: MemoryLimit
) -> _Addresses:
    alive = lifetimes(order, flow, buffers)
    owner, pairs = _share_in_place(order, flow, buffers, alive)
    members: dict[int, list[int]] = {}
    for index, lifetime in enumerate(alive):
        if lifetime is not None:
            members.setdefault(owner[index], []).append(index)
    blocks: list[Block] = []
    for group in members.values():
        spans = [lifetime for index in group if (lifetime := alive[index]) is not None]
        blocks.append(
            Block(
                buffers[group[0]].padded_bytes,
                min(lower for lower, _ in spans),
                max(upper for _, upper in spans),
                max(buffers[index].alignment_bytes for index in group),
                buffers[group[0]].offset_bytes,
            )
        )
    packing = pack_blocks(tuple(blocks), limit.nodes)
    offsets = [b.offset_bytes or 0 for b in buffers]
    for group, offset in zip(members.values(), packing.offsets, strict=True):
        for index in group:
            offsets[index] = offset
    for index, b in enumerate(buffers):
        if b.alias_of is not None:
            offsets[index] = offsets[b.alias_of] + b.alias_offset_bytes
    return _Addresses(tuple(offsets), pairs, packing)


def _share_in_place(
    order: tuple[int, ...],
    flow: Flow,
    buffers: tuple[MemoryBuffer, ...],
    alive: tuple[tuple[int, int] | None, ...],
) -> tuple[list[int], tuple[tuple[int, int], ...]]:
    """Of each buffer, the one whose bytes it takes (itself if none); and the pairs."""
    owner = list(range(len(buffers)))
    pairs: list[tuple[int, int]] = []
    for position, task in enumerate(order):
        served: set[int] = set()
        for source, target in flow.in_place[task]:
            a, b = alive[source], alive[target]
            if a is None or b is None or target in served or buffers[source].to_end:
                continue
            # The source is filled before and last touched here; the target is first touched here.
            filled = buffers[source].from_start or a[0] < position
            if filled and a[1] == position + 1 and b[0] == position:
                owner[target] = owner[source]
                pairs.append((source, target))
                served.add(target)
    return owner, tuple(pairs)


def _bound(order: Order, flow: Flow, buffers: tuple[MemoryBuffer, ...]) -> int:
    """No order keeps fewer bytes alive, and no packing ends below a pre-placed buffer."""
    alive = lifetimes(order.tasks, flow, buffers)
    placed = (
        b.offset_bytes + b.padded_bytes
        for b, lifetime in zip(buffers, alive, strict=True)
        if b.offset_bytes is not None and lifetime is not None
    )
    bound = 0 if order.certificate.bound is None else int(order.certificate.bound)
    return max(bound, max(placed, default=0))
