"""Partition: where to cut a network so that the busiest chunk does as little as possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from netwright.errors import PlanError
from netwright.graph.graph import Graph
from netwright.plan.certificate import Certificate
from netwright.transform.cut import cut, cut_places


@final
@dataclass(frozen=True, slots=True)
class Partition:
    """`places`: before which operators to cut; `seconds` of every chunk, by the price asked of."""

    places: tuple[int, ...]
    seconds: tuple[float, ...]
    certificate: Certificate


def partition(graph: Graph, chunks: int, price: Callable[[Graph], float]) -> Partition:
    """The cuts of a flat network with the least seconds in the largest chunk: optimal.

    `price`: seconds of what lies between two neighbouring places to cut, all passes together; those
    of a chunk are their sum.

    Raises:
        PlanError: the network has too few places to cut.
    """
    possible = cut_places(graph)
    if len(possible) + 1 < chunks:
        raise PlanError(
            f"{graph.name}: it can be cut into {len(possible) + 1} chunks at most, {chunks} are"
            " asked for; use fewer workers"
        )
    before = [0.0]
    for piece in cut(graph, possible):
        before.append(before[-1] + price(piece))
    chosen = _cuts(before, chunks)
    ends = (0, *possible)
    seconds = tuple(before[b] - before[a] for a, b in pairwise(chosen))
    found = Certificate(
        "seconds", max(seconds), max(seconds), "exact: dynamic program over all cuts", True
    )
    return Partition(tuple(ends[i] for i in chosen[1:-1]), seconds, found)


def _cuts(sums: Sequence[float], chunks: int) -> list[int]:
    """Indices of `sums` at which chunks begin and end, so that the largest difference is least."""
    count = len(sums)
    least = list(sums)  # of the first i pieces as one chunk
    came: list[list[int]] = []
    for done in range(1, chunks):
        now, origin = [float("inf")] * count, [0] * count
        for stop in range(done + 1, count):
            for start in range(done, stop):
                value = max(least[start], sums[stop] - sums[start])
                if value < now[stop]:
                    now[stop], origin[stop] = value, start
        came.append(origin)
        least = now
    places = [count - 1]
    for origin in reversed(came):
        places.append(origin[places[-1]])
    return [0, *reversed(places)]
