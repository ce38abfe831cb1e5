"""A scratchpad filled as tasks come, in a given order: what systems without a planner do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from netwright.errors import PlanError
from netwright.plan.certificate import Certificate
from netwright.plan.order import MemoryBuffer, MemoryOp
from netwright.plan.scratchpad import (
    ScratchpadPlan,
    check_records,
    extra_bytes,
    residences_of,
)

# (last step of use, next step of use) to how gladly a buffer is given up; the largest goes.
Victim: TypeAlias = Callable[[int, int], float]
# (offset, size) of the gaps that are large enough, lowest first, to the one that is taken.
Gap: TypeAlias = Callable[[Sequence[tuple[int, int]]], tuple[int, int]]


def least_recent(last: int, following: int) -> float:
    """LRU: what was used longest ago."""
    return -last


def farthest(last: int, following: int) -> float:
    """Belady's rule: what is used again the latest (IBM Systems Journal 5, 1966)."""
    return following


def first_fit(gaps: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The lowest gap."""
    return gaps[0]


def best_fit(gaps: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The smallest gap."""
    return min(gaps, key=lambda gap: (gap[1], gap[0]))


VICTIMS: tuple[Victim, ...] = (least_recent, farthest)
ADDRESSES: tuple[Gap, ...] = (first_fit, best_fit)


class _Pad:
    """What lies where, and when it was used."""

    def __init__(self, capacity_bytes: int, buffers: Sequence[MemoryBuffer]) -> None:
        self.capacity = capacity_bytes
        self.size = [b.padded_bytes for b in buffers]
        self.place: dict[int, int] = {}
        self.last: dict[int, int] = {}

    def gaps(self, size: int) -> list[tuple[int, int]]:
        """Free stretches of at least this size."""
        found, at = list[tuple[int, int]](), 0
        for offset, b in sorted((offset, b) for b, offset in self.place.items()):
            if offset - at >= size:
                found.append((at, offset - at))
            at = max(at, offset + self.size[b])
        if self.capacity - at >= size:
            found.append((at, self.capacity - at))
        return found


def fill_scratchpad(
    ops: tuple[MemoryOp, ...],
    buffers: tuple[MemoryBuffer, ...],
    order: Sequence[int],
    capacity_bytes: int,
    rules: tuple[Victim, Gap] = (farthest, first_fit),
) -> ScratchpadPlan:
    """Runs the tasks in order: what is missing is loaded, what must make room is chosen by rule.

    What no task reads any more leaves at once. Where a task's operands fit but for the gaps between
    them, all is cleared and they are loaded side by side.

    Raises:
        PlanError: a task's operands are larger than the scratchpad.
    """
    maker = check_records(ops, buffers)
    pad = _Pad(capacity_bytes, buffers)
    uses: dict[int, list[int]] = {}
    for step, task in enumerate(order):
        for b in {*ops[task].reads, *ops[task].writes}:
            uses.setdefault(b, []).append(step)
    resident: list[frozenset[int]] = []
    loaded: list[frozenset[int]] = []
    offsets: dict[tuple[int, int], int] = {}
    for step, task in enumerate(order):
        for b in [b for b in pad.place if uses[b][-1] < step]:
            del pad.place[b]
        needed = sorted({*ops[task].reads, *ops[task].writes}, key=lambda b: (-pad.size[b], b))
        before = dict(pad.place)
        if not _make_room(pad, needed, (step, uses), rules):
            pad.place.clear()
            at = 0
            for b in needed:
                pad.place[b], at = at, at + pad.size[b]
            if at > capacity_bytes:
                raise PlanError(
                    f"task {task} touches {at} bytes and the scratchpad has {capacity_bytes}; cut"
                    " the task, or take a larger scratchpad"
                )
        moved = {b for b in needed if before.get(b) != pad.place[b]}
        loaded.append(frozenset(b for b in moved if maker.get(b) != task))
        for b in moved:
            offsets[b, step] = pad.place[b]
        resident.append(frozenset(pad.place))
        for b in needed:
            pad.last[b] = step
    residences = residences_of(resident, loaded, offsets)
    extra = extra_bytes(buffers, residences)
    certificate = Certificate("extra_bytes", extra, None, "as tasks come", False)
    return ScratchpadPlan(tuple(order), residences, extra, certificate)


def _make_room(
    pad: _Pad,
    needed: Sequence[int],
    now: tuple[int, dict[int, list[int]]],
    rules: tuple[Victim, Gap],
) -> bool:
    """Places what is needed and missing; False when even an otherwise empty pad has no gap."""
    step, uses = now
    victim, gap = rules
    for b in needed:
        if b in pad.place:
            continue
        while not (gaps := pad.gaps(pad.size[b])):
            others = [o for o in pad.place if o not in needed]
            if not others:
                return False
            del pad.place[
                max(
                    others,
                    key=lambda o: (
                        victim(pad.last[o], next(u for u in uses[o] if u >= step)),
                        o,
                    ),
                )
            ]
        pad.place[b] = gap(gaps)[0]
    return True
