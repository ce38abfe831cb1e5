"""Precision: the format of every weight, with least loss of quality within a job's limits.

The loss is a proxy, not a quality: the sum over weights of the relative squared error that writing
them anew makes, sum (after - before)^2 / sum before^2. By Lin, Talathi and Annapureddy, "Fixed
Point Quantization of Deep Convolutional Networks" (ICML 2016, arXiv 1511.06393), the noise to
signal ratios of quantised weights add up along a network, with inputs taken as white; so here no
weight counts for more than another. It is measured against the weights as the file has them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, final

from netwright.errors import UnsupportedError
from netwright.graph.format import Format, format_of
from netwright.graph.graph import Graph
from netwright.graph.tensor import TensorId
from netwright.job.job import Choose
from netwright.plan.assign import Assignment, Option, assign
from netwright.plan.candidates import Item, bytes_of, items_of, losses, seconds_of
from netwright.plan.capacity import rooms
from netwright.plan.certificate import Certificate
from netwright.plan.decision import Alternative, Decision
from netwright.plan.draft import Draft
from netwright.plan.lower.token import ACTIVATION_FORMAT
from netwright.transform.quantise import Requantised, quantise

Progress: TypeAlias = Callable[[str, float], None]
METHOD = (
    "least sum of relative squared errors of the weights, a proxy (Lin et al., arXiv 1511.06393)"
)


LOSSES_SHARE = 0.2  # of the time that choosing takes: the rest is writing weights


@final
@dataclass(frozen=True, slots=True)
class Choices:
    """The weights that may change, and for each format of each what it loses and takes.

    Demands are bytes and, where the job limits time, seconds of the call that repeats. `bound` is
    what the loss cannot go below, found before the limits were tightened.
    """

    items: tuple[Item, ...]
    options: tuple[tuple[Option, ...], ...]
    limits: tuple[float, ...]
    bound: float = math.inf


@final
@dataclass(frozen=True, slots=True)
class Chosen:
    """A graph in its formats, the decisions that say so, and what no other choice can beat."""

    graph: Graph
    decisions: tuple[Decision, ...]
    bound: float


def kept_precision(graph: Graph, why: str = "") -> Decision:
    """What every weight is stored in, with true bits."""
    bits: Counter[str] = Counter()
    for tensor in graph.tensors:
        if tensor.data:
            size = 1
            for extent in tensor.shape:
                size *= extent if isinstance(extent, int) else 1
            bits[f"{tensor.format.name} ({tensor.format.bits_per_element:g} bits)"] += size
    chosen = ", ".join(f"{name}: {count:,} elements" for name, count in bits.most_common())
    return Decision("precision", chosen or "no weights", "kept as the file has it", why=why)


def uniform(graph: Graph, name: str, progress: Progress) -> Graph:
    """Every weight that products and row gathers read in one format, where its rows allow it.

    Raises:
        UnsupportedError: no weight can have this format; names those that some can.
    """
    form = format_of(name)
    items = [item for item in items_of(graph, (name,)) if form in item.formats]
    if not items:
        raise UnsupportedError(
            f"{graph.name}: no weight can be in {name}; there are kernels for weights of two dims "
            f"in {', '.join(ACTIVATION_FORMAT)}, with rows of whole blocks"
        )
    for index, item in enumerate(items):
        progress(f"{item.name} as {name}", index / len(items))
        graph = quantise(graph, {item.tensor: form}).graph
    return graph


def choices_of(kept: Draft) -> Choices:
    """What there is to choose from, and what it takes; losses are still unknown (0)."""
    precision = kept.job.precision
    assert isinstance(precision, Choose)
    items = items_of(kept.graph, precision.formats)
    seconds: dict[tuple[TensorId, str], float] = {}
    if kept.job.limits.seconds is not None:
        for found in seconds_of(kept, items):
            seconds.update(found)

    def demands(item: Item, form: Format) -> tuple[float, ...]:
        size = float(bytes_of(item, form))
        return (size, seconds[item.tensor, form.name]) if seconds else (size,)

    options = tuple(tuple(Option(0.0, demands(i, f)) for f in i.formats) for i in items)
    return Choices(items, options, _limits(kept, options))


def with_losses(graph: Graph, choices: Choices, progress: Progress) -> Choices:
    """The same with what each format loses, by a sample of each weight."""
    options: list[tuple[Option, ...]] = []
    for index, (item, row) in enumerate(zip(choices.items, choices.options, strict=True)):
        progress(f"errors of {item.name}", LOSSES_SHARE * index / len(choices.items))
        lost = losses(graph, item)
        options.append(tuple(replace(o, loss=lo) for o, lo in zip(row, lost, strict=True)))
    return replace(choices, options=tuple(options))


def _limits(kept: Draft, options: Sequence[Sequence[Option]]) -> tuple[float, ...]:
    """What is left for the weights that may change, of bytes and seconds."""
    footprint = kept.footprint
    fixed = footprint.weights_bytes - sum(row[0].demands[0] for row in options)
    free = min(
        room.capacity_bytes - (footprint.written_bytes if room.holds_written else 0) - fixed
        for room in rooms(kept.machine, kept.unit, kept.job)
        if room.holds_weights
    )
    most = kept.job.limits.seconds
    if most is None:
        return (free,)
    other = kept.repeated.seconds - sum(row[0].demands[1] for row in options)
    return (free, most - other)


def tightened(choices: Choices, excess: tuple[float, ...], bound: float) -> Choices:
    """The same with less room, after a plan showed that so much was missing.

    `bound` is that of the first choice: with less room it would be no bound of the whole.
    """
    limits = tuple(limit - more for limit, more in zip(choices.limits, excess, strict=True))
    return replace(choices, limits=limits, bound=bound)


def choose_precision(graph: Graph, choices: Choices, progress: Progress) -> Chosen | None:
    """The graph with the least loss within the limits; None when there is none.

    Raises:
        FormatError: a weight cannot be read or written.
    """
    found = assign(choices.options, choices.limits)
    if found is None:
        return None
    reached = found.certificate
    bound = min(reached.bound or 0.0, choices.bound)
    proved = reached.proved and bound >= reached.value
    promise = Certificate(reached.objective, reached.value, bound, reached.method, proved)
    wanted = {
        item.tensor: item.formats[option]
        for item, option in zip(choices.items, found.chosen, strict=True)
        if option
    }
    changes: list[Requantised] = []
    for index, (tensor, form) in enumerate(wanted.items()):
        progress(
            f"{graph[tensor].name} as {form.name}",
            LOSSES_SHARE + (1 - LOSSES_SHARE) * index / len(wanted),
        )
        step = quantise(graph, {tensor: form})
        graph = step.graph
        changes += step.changes
    error = sum(change.relative_rms**2 for change in changes)
    total = Decision(
        "precision",
        kept_precision(graph).chosen,
        f"{METHOD}; {promise.text} ({promise.method})",
        (Alternative("every weight kept", 0.0), *_uniform(choices)),
        promise.value,
        bound,
        "loss",
        f"loss {promise.value:.4g} by a sample of each weight, {error:.4g} once all were"
        f" written; bound {bound:.4g}",
    )
    return Chosen(graph, (total, *_by_name(choices, found)), bound)


def _uniform(choices: Choices) -> tuple[Alternative, ...]:
    """What one format for all weights would lose and take, where all can have it."""
    found: list[Alternative] = []
    names = [form.name for form in choices.items[0].formats[1:]] if choices.items else []
    for name in names:
        places = [_place(item, name) for item in choices.items]
        if all(p is not None for p in places):
            picked = [row[p or 0] for row, p in zip(choices.options, places, strict=True)]
            size = sum(o.demands[0] for o in picked)
            fits = all(
                sum(o.demands[r] for o in picked) <= limit for r, limit in enumerate(choices.limits)
            )
            label = f"all in {name} ({size / 1e6:.1f} MB, {'fits' if fits else 'does not fit'})"
            found.append(Alternative(label, sum(o.loss for o in picked)))
    return tuple(found)


def _place(item: Item, name: str) -> int | None:
    """Where a format is among those of a weight."""
    return next((i for i, form in enumerate(item.formats) if form.name == name), None)


def _by_name(choices: Choices, found: Assignment) -> tuple[Decision, ...]:
    """One decision for all repetitions of a weight: which got what, and what each would lose."""
    groups: dict[str, list[int]] = {}
    for index, item in enumerate(choices.items):
        stem, _, repetition = item.name.rpartition(".")
        groups.setdefault(stem if repetition.isdigit() else item.name, []).append(index)
    return tuple(_group(name, members, choices, found) for name, members in groups.items())


def _group(name: str, members: list[int], choices: Choices, found: Assignment) -> Decision:
    forms: tuple[Format, ...] = choices.items[members[0]].formats
    got: dict[str, list[int]] = {}
    for repetition, index in enumerate(members):
        got.setdefault(choices.items[index].formats[found.chosen[index]].name, []).append(
            repetition
        )
    chosen = ", ".join(
        form if len(members) == 1 else f"{form} in {len(places)} ({ranges(places)})"
        for form, places in got.items()
    )
    loss = sum(choices.options[i][found.chosen[i]].loss for i in members)
    alternatives = tuple(
        Alternative(
            f"{form.name} ({form.bits_per_element:g} bits)",
            sum(choices.options[i][j].loss for i in members),
        )
        for j, form in enumerate(forms)
    )
    return Decision(
        f"precision of {name}", chosen, "see precision", alternatives, loss, None, "loss"
    )


def ranges(numbers: Sequence[int]) -> str:
    """0, 1, 2, 5 as "0-2, 5"."""
    parts: list[list[int]] = []
    for n in numbers:
        if parts and parts[-1][-1] == n - 1:
            parts[-1][1:] = [n]
        else:
            parts.append([n])
    return ", ".join("-".join(map(str, p)) for p in parts)
