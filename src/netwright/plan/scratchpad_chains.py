"""Two tasks in a row that lose nothing by running together become one, so that fewer are planned.

Where a task reads one buffer that nothing else reads and makes one of the same size, which only the
next task reads, and that one's result is no smaller, the first may as well wait until just before
the second: the buffer that waits is as large as the one that would have. Neither holds more than
the second alone. So a plan of the joined tasks moves as little as any plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.plan.order import MemoryBuffer, MemoryOp
from netwright.plan.scratchpad_choice import Choice, Loads


@final
@dataclass(frozen=True, slots=True)
class Joined:
    """Records of fewer tasks over the same buffers. `members`: task → tasks of before, in order."""

    ops: tuple[MemoryOp, ...]
    members: tuple[tuple[int, ...], ...]


def joined(ops: tuple[MemoryOp, ...], buffers: tuple[MemoryBuffer, ...]) -> Joined:
    """Joins as long as there is something to join."""
    readers: dict[int, list[int]] = {}
    for task, op in enumerate(ops):
        for b in op.reads:
            readers.setdefault(b, []).append(task)
    maker = {b: task for task, op in enumerate(ops) for b in op.writes}
    tied = {task for op in ops for task in op.after} | {t for t, op in enumerate(ops) if op.after}
    head = list(range(len(ops)))  # task → the first of its chain

    def waits(task: int, following: int) -> bool:
        """Whether `task` may wait for `following`, which reads what it makes."""
        (source,), (between,), (result,) = ops[task].reads, ops[task].writes, ops[following].writes
        sizes = [buffers[b].padded_bytes for b in (source, between, result)]
        alone = len(readers[source]) == len(readers[between]) == 1
        kept = buffers[source].from_start or buffers[source].to_end or buffers[between].to_end
        return alone and not kept and source in maker and sizes[0] == sizes[1] <= sizes[2]

    for task, op in enumerate(ops):
        if len(op.reads) == len(op.writes) == 1 and op.reads[0] in maker and task not in tied:
            earlier = maker[op.reads[0]]
            single = len(ops[earlier].reads) == len(ops[earlier].writes) == 1
            if single and earlier not in tied and waits(earlier, task):
                head[task] = head[earlier]
    chains: dict[int, list[int]] = {}
    for task in range(len(ops)):
        chains.setdefault(head[task], []).append(task)
    # A chain stands where its last task stood, so that the tasks stay in a valid order.
    members = tuple(tuple(chain) for chain in sorted(chains.values(), key=lambda c: c[-1]))
    index = {task: i for i, chain in enumerate(members) for task in chain}
    found = tuple(
        MemoryOp(
            ops[chain[0]].reads,
            ops[chain[-1]].writes,
            after=tuple(sorted({index[e] for e in ops[chain[0]].after})),
        )
        for chain in members
    )
    return Joined(found, members)


def apart(chains: Joined, choice: Choice) -> Choice:
    """A choice for joined tasks as one for the tasks of before."""
    order = tuple(task for chain in choice.order for task in chains.members[chain])
    loads: Loads = frozenset((b, chains.members[chain][0]) for b, chain in choice.loads)
    return Choice(order, loads)
