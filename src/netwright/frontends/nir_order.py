"""The order of a file's nodes, and where its loops are cut: a loop takes a step.

NIR's time is continuous and a loop in it has no delay. In steps, something of the loop must be what
it was a step before: the output of a neuron (or of a delay of at least a step, which is that
already). A neuron feeds those that are further from the inputs in the same step, and all others in
its loop in the next one; who lies further is counted in neurons, so names and order do not matter.
Source: the Braille network of Pedersen et al. (2024) feeds back the spikes of the step before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.errors import UnsupportedError
from netwright.frontends.nir_file import NirFile
from netwright.frontends.nir_neurons import NEURONS

Edge: TypeAlias = tuple[str, str]


@final
@dataclass(frozen=True, slots=True)
class Order:
    """Nodes after what they need. `late`: neurons' edges that carry the step before; `queues`:
    delays whose output is there before their input. Both are empty where there is no loop.
    """

    nodes: tuple[str, ...]
    late: frozenset[Edge] = frozenset()
    queues: frozenset[str] = frozenset()

    @property
    def loops(self) -> bool:
        """Whether the network runs step by step."""
        return bool(self.late or self.queues)


def ordered(file: NirFile, delays: frozenset[str], where: str) -> Order:
    """The order; `delays` are the nodes that hold what enters for at least a step.

    Raises:
        UnsupportedError: a loop in which nothing waits.
    """
    found = _sorted(file.nodes, file.edges)
    if len(found) == len(file.nodes):
        return Order(found)
    edges = [e for e in file.edges if e[0] not in delays]
    group = _groups(file.nodes, edges)
    state = frozenset(n for n, node in file.nodes.items() if node.type in NEURONS)
    far = _distance(file, state)
    after = _after(file.nodes, edges)
    late = frozenset(
        (a, b)
        for a, b in edges
        if a in state
        and group[a] == group[b]
        and any(far[t] <= far[a] for t in _next_states(b, state, after, group))
    )
    left = [e for e in edges if e not in late]
    nodes = _sorted(file.nodes, left)
    if len(nodes) < len(file.nodes):
        stuck = sorted(set(file.nodes) - set(nodes))
        raise UnsupportedError(
            f"{where}: nodes {stuck[:5]} form a loop in which nothing waits: no neuron, no delay "
            "of at least a step; put a Delay into it"
        )
    return Order(nodes, late, delays)


def _after(nodes: Iterable[str], edges: Iterable[Edge]) -> dict[str, list[str]]:
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for a, b in edges:
        after[a].append(b)
    return after


def _sorted(nodes: Iterable[str], edges: Iterable[Edge]) -> tuple[str, ...]:
    """Those that can be put into an order."""
    edges = list(edges)
    waits, after = dict.fromkeys(nodes, 0), _after(nodes, edges)
    for _, b in edges:
        waits[b] += 1
    ready = [name for name, count in waits.items() if count == 0]
    order: list[str] = []
    while ready:
        order.append(ready.pop())
        for b in after[order[-1]]:
            waits[b] -= 1
            if waits[b] == 0:
                ready.append(b)
    return tuple(order)


def _groups(nodes: Iterable[str], edges: list[Edge]) -> dict[str, int]:
    """The number of each node's strongly connected component (Kosaraju)."""
    after, before = _after(nodes, edges), _after(nodes, [(b, a) for a, b in edges])
    finished: list[str] = []
    seen: set[str] = set()
    for start in after:
        stack = [(start, iter(after[start]))] if start not in seen else []
        seen.add(start)
        while stack:
            name, rest = stack[-1]
            following = next((b for b in rest if b not in seen), None)
            if following is None:
                finished.append(stack.pop()[0])
            else:
                seen.add(following)
                stack.append((following, iter(after[following])))
    group: dict[str, int] = {}
    for number, root in enumerate(reversed(finished)):
        todo = [root] if root not in group else []
        while todo:
            name = todo.pop()
            if name not in group:
                group[name] = number
                todo += [a for a in before[name] if a not in group]
    return group


def _distance(file: NirFile, state: frozenset[str]) -> dict[str, float]:
    """Neurons on the shortest way from an input to each node; endless where there is none."""
    after = _after(file.nodes, file.edges)
    far = dict.fromkeys(file.nodes, float("inf"))
    queue = deque(n for n, node in file.nodes.items() if node.type == "Input")
    far |= dict.fromkeys(queue, 0.0)
    while queue:
        a = queue.popleft()
        for b in after[a]:
            way = far[a] + (b in state)
            if way < far[b]:
                far[b] = way
                (queue.append if b in state else queue.appendleft)(b)
    return far


def _next_states(
    start: str, state: frozenset[str], after: Mapping[str, list[str]], group: Mapping[str, int]
) -> set[str]:
    """The neurons of a loop that a value reaches without passing another."""
    found: set[str] = set()
    todo, seen = [start], {start}
    while todo:
        name = todo.pop()
        if name in state:
            found.add(name)
            continue
        following = [b for b in after[name] if group[b] == group[start] and b not in seen]
        seen.update(following)
        todo += following
    return found
