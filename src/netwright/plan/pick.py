"""Pick: the kernel of each operator, of those that lowering offers, by predicted seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, final

from netwright.cost.table import find
from netwright.graph.extent import resolve
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.job.job import Generate, Job
from netwright.machine.machine import Machine, Unit
from netwright.machine.table import Regime
from netwright.plan.lower.step import Offer
from netwright.plan.predict import Pricer, Where, Works

MEASURED = "measured table"
OTHER_VARIANT = "measured table of another variant"
ROOFLINE = "roofline"


@final
@dataclass(frozen=True, slots=True)
class Weighed:
    """One operator's kernels: what each takes over the whole job, and which bytes of weights."""

    source: str
    shape: tuple[object, ...]  # operators with the same have the same kernels at the same prices
    names: tuple[str, ...]
    methods: tuple[str, ...]
    seconds: tuple[float, ...]
    bound_seconds: float  # that no kernel offered can beat
    weight_bytes: tuple[int, ...]


Rule: TypeAlias = Callable[[Weighed], int]


def fastest(weighed: Weighed) -> int:
    """Least predicted time; the first offered among equals.

    A kernel that a measured machine has no points of is not set against those that it has: a
    roofline is no measurement.
    """
    known = [i for i, method in enumerate(weighed.methods) if method != ROOFLINE]
    return min(known or range(len(weighed.names)), key=lambda i: (weighed.seconds[i], i))


def smallest(weighed: Weighed) -> int:
    """Fewest bytes of weights, then least time."""
    return min(
        range(len(weighed.names)), key=lambda i: (weighed.weight_bytes[i], weighed.seconds[i], i)
    )


@final
@dataclass(frozen=True, slots=True)
class Taken:
    """What was chosen before, by operator."""

    chosen: Mapping[str, int]

    def __call__(self, weighed: Weighed) -> int:
        return self.chosen[weighed.source]


@final
@dataclass(frozen=True, slots=True)
class Calls:
    """An entry as the job calls it: so many times, at these symbols, on so many units."""

    times: float
    symbols: Mapping[str, int]
    units: int


@final
@dataclass(slots=True)
class Picker:
    """Prices offers at all calls of a job together: entries share weights, so also kernels."""

    prices: Sequence[tuple[float, Pricer]]
    rule: Rule
    weighed: dict[str, Weighed] = field(default_factory=dict[str, Weighed])
    chosen: dict[str, int] = field(default_factory=dict[str, int])

    def __call__(self, offers: Sequence[Offer]) -> int:
        source = offers[0].step.source
        if len(offers) == 1:
            return 0
        if source not in self.chosen:
            self.weighed[source] = self._weigh(source, offers)
            self.chosen[source] = self.rule(self.weighed[source])
        return self.chosen[source]

    def _weigh(self, source: str, offers: Sequence[Offer]) -> Weighed:
        seconds = [0.0] * len(offers)
        least = [0.0] * len(offers)
        for times, prices in self.prices:
            for index, offer in enumerate(offers):
                cost, bound = prices.cost(offer.step)
                seconds[index] += times * cost.seconds
                least[index] += times * bound
                if offer.recoded is not None:
                    each, _ = prices.cost(offer.recoded.step)
                    seconds[index] += times * each.seconds / offer.recoded.readers
        plain = offers[0].step
        out, x = plain.operands[0], plain.operands[1]
        shape = (
            None if out is None else out.shape,
            None if x is None else x.shape,
            plain.parameters,
        )
        return Weighed(
            source,
            shape,
            tuple(offer.name for offer in offers),
            tuple(self._method(offer) for offer in offers),
            tuple(seconds),
            min(least),
            tuple(offer.weight.size_bytes for offer in offers),
        )

    def _method(self, offer: Offer) -> str:
        """What the price of an offer rests on."""
        prices = self.prices[0][1]
        unit = prices.where.unit
        work = prices.works.of(offer.step)
        found = find(unit, work, Regime.CACHED) if unit.cost_model == "table" else None
        if found is None:
            return ROOFLINE
        return MEASURED if found.variant == work.variant else OTHER_VARIANT


def picker(
    graph: Graph, machine: Machine, unit: Unit, calls: Sequence[Calls], rule: Rule
) -> Picker:
    """Prices before anything is lowered: between two uses of a weight lies all that the graph's
    operators read."""
    prices = [
        (each.times, Pricer(Where(machine, unit, each.units), Works(each.symbols), touched))
        for each in calls
        for touched in (_read_bytes(graph, each.symbols),)
    ]
    return Picker(prices, rule)


def times_called(entry: str, job: Job) -> float:
    """How often a job calls an entry. Verification, which drafting may or may not make, is none."""
    if not isinstance(job, Generate):
        return 1.0
    chunk = min(job.chunk, job.prompt + job.tokens)
    return {"prefill": float(-(-job.prompt // chunk)), "decode": float(job.tokens)}.get(entry, 0.0)


def _read_bytes(graph: Graph, symbols: Mapping[str, int]) -> int:
    """What the graph's operators read, each operand as often as it is read."""
    bits = 0.0
    for node in graph.body:
        for tensor in node.inputs if isinstance(node, Op) else ():
            if tensor is not None:
                elements = 1
                for extent in graph[tensor].shape:
                    elements *= resolve(extent, symbols)
                bits += elements * graph[tensor].format.bits_per_element
    return int(bits / 8)
