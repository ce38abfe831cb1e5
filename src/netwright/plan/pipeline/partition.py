"""Partition: where to cut a network so that the busiest chunk does as little as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from netwright.errors import PlanError
from netwright.graph.analysis import work
from netwright.graph.graph import Graph
from netwright.plan.certificate import Certificate
from netwright.transform.cut import cut_places


@final
@dataclass(frozen=True, slots=True)
class Partition:
    """`places`: before which operators to cut; `operations` of every chunk, forward only."""

    places: tuple[int, ...]
    operations: tuple[int, ...]
    certificate: Certificate


def partition(graph: Graph, chunks: int) -> Partition:
    """The cuts of a flat network with the least operations in the largest chunk: optimal.

    The backward passes of matrix products cost what forward passes cost, twice: so the balance
    of the one is that of the other.

    Raises:
        PlanError: the network has too few places to cut.
    """
    possible = cut_places(graph)
    if len(possible) + 1 < chunks:
        raise PlanError(
            f"{graph.name}: it can be cut into {len(possible) + 1} chunks at most, {chunks} are"
            " asked for; use fewer workers (or untie a weight that both ends share)"
        )
    costs = [max(1, work(graph, op, 1).operations) for op, _ in graph.ops()]
    before = [0]
    for cost in costs:
        before.append(before[-1] + cost)
    ends = (0, *possible, len(costs))
    chosen = _cuts([before[e] for e in ends], chunks)
    places = tuple(ends[i] for i in chosen[1:-1])
    edges = (0, *places, len(costs))
    operations = tuple(before[b] - before[a] for a, b in pairwise(edges))
    most = float(max(operations))
    found = Certificate("operations", most, most, "exact: dynamic program over all cuts", True)
    return Partition(places, operations, found)


def _cuts(sums: Sequence[int], chunks: int) -> list[int]:
    """Indices of `sums` at which chunks begin and end, so that the largest difference is least."""
    count = len(sums)
    least = [float(sums[i]) for i in range(count)]  # of the first i pieces as one chunk
    came: list[list[int]] = []
    for done in range(1, chunks):
        now, origin = [float("inf")] * count, [0] * count
        for stop in range(done + 1, count):
            for start in range(done, stop):
                value = max(least[start], float(sums[stop] - sums[start]))
                if value < now[stop]:
                    now[stop], origin[stop] = value, start
        came.append(origin)
        least = now
    places = [count - 1]
    for origin in reversed(came):
        places.append(origin[places[-1]])
    return [0, *reversed(places)]
