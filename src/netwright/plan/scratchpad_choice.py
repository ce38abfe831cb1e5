"""A plan of a scratchpad without its addresses: an order, and which uses load what they touch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, final

from netwright.errors import PlanError
from netwright.plan.order import MemoryBuffer, MemoryOp, make_flow
from netwright.plan.scratchpad import Residence, check_records, residences_of

# (buffer, task): the task finds the buffer off the chip, so it is loaded for it.
Loads: TypeAlias = frozenset[tuple[int, int]]


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """`order` has the task of every step. A buffer lies on the chip from one use to the next unless
    the next one loads it."""

    order: tuple[int, ...]
    loads: Loads


@final
class Records:
    """Tasks and buffers with what follows from them, worked out once.

    Raises:
        PlanError: the records make no sense, or a task touches more than the capacity.
    """

    def __init__(
        self, ops: tuple[MemoryOp, ...], buffers: tuple[MemoryBuffer, ...], capacity_bytes: int
    ) -> None:
        self.ops, self.buffers, self.capacity_bytes = ops, buffers, capacity_bytes
        self.maker = check_records(ops, buffers)
        self.before = make_flow(ops, buffers).before
        self.touched = tuple(frozenset((*op.reads, *op.writes)) for op in ops)
        self.sizes = tuple(b.padded_bytes for b in buffers)
        for task, touched in enumerate(self.touched):
            check_room(task, sum(self.sizes[b] for b in touched), capacity_bytes)

    @cached_property
    def users(self) -> Mapping[int, tuple[int, ...]]:
        """Buffer → the tasks that touch it."""
        found: dict[int, list[int]] = {}
        for task, touched in enumerate(self.touched):
            for b in sorted(touched):
                found.setdefault(b, []).append(task)
        return {b: tuple(tasks) for b, tasks in found.items()}

    @cached_property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """Task → the steps at which an order may run it: [first, end)."""
        return windows_of(self.before)

    @cached_property
    def given_bytes(self) -> int:
        """The first load of each input, which every plan has."""
        return sum(self.sizes[b] for b in self.users if self.buffers[b].from_start)

    def pays_store(self, b: int) -> bool:
        """Whether the first eviction of a buffer writes it out for that reason alone."""
        return not self.buffers[b].from_start and not self.buffers[b].to_end


def check_room(task: int, touched_bytes: int, capacity_bytes: int) -> None:
    """Refuses a task that no plan can run.

    Raises:
        PlanError: it touches more than the scratchpad has.
    """
    if touched_bytes > capacity_bytes:
        raise PlanError(
            f"task {task} touches {touched_bytes} bytes and the scratchpad has {capacity_bytes};"
            " cut the task, stream its largest operand, or take a larger scratchpad"
        )


def windows_of(before: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    """Task → the steps at which it may run, from how many tasks lie before and behind it."""
    count = len(before)
    ancestors: list[int] = []  # sets of tasks as bits
    behind = [0] * count
    for earlier in before:
        found = 0
        for e in earlier:
            found |= ancestors[e] | 1 << e
        ancestors.append(found)
        rest = found
        while rest:
            low = rest & -rest
            behind[low.bit_length() - 1] += 1
            rest ^= low
    return tuple((ancestors[o].bit_count(), count - behind[o]) for o in range(count))


def extra_of(records: Records, loads: Loads) -> int:
    """Bytes moved beyond what every plan moves: loads but the first of inputs, and stores."""
    stored = {b for b, _ in loads if records.pays_store(b)}
    moved = sum(records.sizes[b] for b, _ in loads) + sum(records.sizes[b] for b in stored)
    return moved - records.given_bytes


def residence_of(records: Records, choice: Choice) -> list[frozenset[int]]:
    """Step → what lies on the chip."""
    step_of = {task: step for step, task in enumerate(choice.order)}
    here: list[set[int]] = [set(records.touched[task]) for task in choice.order]
    for b, users in records.users.items():
        steps = sorted(step_of[task] for task in users)
        for earlier, later in itertools.pairwise(steps):
            if (b, choice.order[later]) not in choice.loads:
                for step in range(earlier + 1, later):
                    here[step].add(b)
    return [frozenset(now) for now in here]


def fits(records: Records, choice: Choice) -> bool:
    """Whether what lies on the chip is never more than its capacity."""
    return all(
        sum(records.sizes[b] for b in now) <= records.capacity_bytes
        for now in residence_of(records, choice)
    )


def residences(records: Records, choice: Choice) -> tuple[Residence, ...]:
    """Stretches of time on the chip, at no address yet."""
    fresh: list[set[int]] = [set() for _ in choice.order]
    step_of = {task: step for step, task in enumerate(choice.order)}
    for b, task in choice.loads:
        fresh[step_of[task]].add(b)
    loaded = [frozenset(now) for now in fresh]
    return residences_of(residence_of(records, choice), loaded, {})


def bare_choice(records: Records, order: tuple[int, ...]) -> Choice:
    """Whatever a task touches and the task before it did not is loaded: always a plan."""
    loads: set[tuple[int, int]] = set()
    earlier = frozenset[int]()
    for task in order:
        fresh = records.touched[task] - earlier - frozenset(records.ops[task].writes)
        loads |= {(b, task) for b in fresh}
        earlier = records.touched[task]
    return Choice(order, frozenset(loads))
