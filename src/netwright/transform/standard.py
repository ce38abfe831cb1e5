"""The standard rewrites, in their order: Graph → Graph that means the same in fewer operators."""

from __future__ import annotations

from netwright.graph.graph import Graph
from netwright.graph.verify import verify
from netwright.transform import (
    affine,
    attention,
    batch_norm,
    bias,
    canonicalise,
    epilogue,
    layer_norm,
    normalise,
    one_hot,
    pad,
)
from netwright.transform.dead_code import without_dead
from netwright.transform.draft import Rewrite, Rule, rewrite

# Each until nothing changes any more; recognition before fusion, which hides what it fuses.
_STAGES: tuple[tuple[tuple[str, tuple[Rule, ...]], ...], ...] = (
    (
        ("canonicalise", canonicalise.RULES),
        ("normalise", normalise.RULES),
        ("layer_norm", layer_norm.RULES),
        ("canonicalise", canonicalise.COMPOSITIONS),
    ),
    (
        ("attention", attention.RULES),
        ("canonicalise", canonicalise.RULES),
    ),
    (
        ("pad", pad.RULES),
        ("bias", bias.RULES),
        ("batch_norm", batch_norm.RULES),
        ("one_hot", one_hot.RULES),
        ("canonicalise", canonicalise.RULES),
    ),
    (
        ("epilogue", epilogue.RULES),
        ("affine", affine.RULES),
    ),
)
_MAX_ROUNDS = 16


def standard(graph: Graph) -> tuple[Graph, tuple[Rewrite, ...]]:
    """The graph after all standard rewrites, and what each did, in order.

    Outputs are equal but for the rounding of folded weights to fp32. The result is verified.

    Raises:
        GraphError: the graph was not valid.
        FormatError: the file of a weight cannot be read.
    """
    graph, dead = without_dead(graph)
    records = [Rewrite("dead_code", "operators that nothing reads removed", dead)] if dead else []
    for stage in _STAGES:
        graph = _settle(graph, stage, records)
    verify(graph)
    return graph, _summed(records)


def _settle(
    graph: Graph, stage: tuple[tuple[str, tuple[Rule, ...]], ...], records: list[Rewrite]
) -> Graph:
    for _ in range(_MAX_ROUNDS):
        before = len(records)
        for transform, rules in stage:
            graph, done = rewrite(graph, transform, rules)
            records += done
        if len(records) == before:
            break
    return graph


def _summed(records: list[Rewrite]) -> tuple[Rewrite, ...]:
    """One record a rule, in the order of first use."""
    counts: dict[tuple[str, str], int] = {}
    for record in records:
        key = (record.transform, record.rule)
        counts[key] = counts.get(key, 0) + record.count
    return tuple(Rewrite(transform, rule, count) for (transform, rule), count in counts.items())
