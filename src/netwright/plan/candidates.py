"""Candidates: which weights may be written in which formats, and what that loses and takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from netwright.graph.format import Format, format_of
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.ops.gather import Gather
from netwright.graph.ops.linear import Linear
from netwright.graph.tensor import ArrayData, TensorId
from netwright.job.job import entry_symbols
from netwright.plan.draft import Draft
from netwright.plan.lower.emitter import Store
from netwright.plan.lower.lower import lower_entry, total_limit
from netwright.plan.lower.step import ALIGNMENT_BYTES, View
from netwright.plan.lower.token import ACTIVATION_FORMAT
from netwright.plan.predict import Where, pricer, representative_symbols
from netwright.program.program import Entry, Operand, Task
from netwright.transform.quantise import matrices, sampled_error


@final
@dataclass(frozen=True, slots=True)
class Item:
    """One weight that may change. `formats[0]` is what it has; the rest are alternatives."""

    tensor: TensorId
    name: str
    elements: int
    formats: tuple[Format, ...]
    readers: frozenset[str]  # operators that read it, by the name that their tasks carry


def items_of(graph: Graph, names: Sequence[str]) -> tuple[Item, ...]:
    """The weights that only products and row gathers with native block kernels read."""
    readers: dict[TensorId, list[Op]] = {}
    for op, _ in graph.ops():
        for tensor in op.inputs:
            if tensor is not None:
                readers.setdefault(tensor, []).append(op)
    wanted = [format_of(name) for name in names if name in ACTIVATION_FORMAT]
    found: list[Item] = []
    for identity in matrices(graph):
        tensor, ops = graph[identity], readers.get(identity, [])
        if not ops or not all(_takes_blocks(graph, op, identity) for op in ops):
            continue
        rows, width = (int(s) for s in tensor.shape if isinstance(s, int))
        others = [f for f in wanted if f != tensor.format and width % f.block_elements == 0]
        names_of = frozenset(op.name for op in ops)
        formats = (tensor.format, *others)
        found.append(Item(identity, tensor.name, rows * width, formats, names_of))
    return tuple(found)


def _takes_blocks(graph: Graph, op: Op, weight: TensorId) -> bool:
    """Whether the operator has a kernel for a weight in blocks."""
    if len(graph[weight].shape) != 2:
        return False
    if isinstance(op.kind, Linear):
        return op.inputs[1] == weight and op.inputs.count(weight) == 1 and not op.kind.input_major
    ids = op.inputs[1] if isinstance(op.kind, Gather) else None
    if ids is None or not isinstance(op.kind, Gather):
        return False
    return op.inputs[0] == weight and op.kind.axis == 0 and len(graph[ids].shape) == 1


def bytes_of(item: Item, form: Format) -> int:
    """Bytes of the weight in a format, with the alignment of a buffer of its own."""
    size = int(item.elements * form.block_bytes // form.block_elements)
    return size if form == item.formats[0] else size + -size % ALIGNMENT_BYTES


def losses(graph: Graph, item: Item) -> tuple[float, ...]:
    """Relative squared error of each format, from a sample of rows; 0 for the format it has."""
    tensor = graph[item.tensor]
    return (0.0, *(sampled_error(tensor, form) for form in item.formats[1:]))


def seconds_of(
    draft: Draft, items: Sequence[Item]
) -> Iterator[Mapping[tuple[TensorId, str], float]]:
    """For one format after another: (weight, format) to seconds of its tasks in the call that
    repeats, lowered and priced as they would run."""
    yield _priced(draft, draft.program.entry(draft.repeated.entry), items, None)
    wanted = {form.name: form for item in items for form in item.formats[1:]}
    for form in wanted.values():
        entry = _lowered(draft, items, form)
        yield _priced(draft, entry, items, form)


def _priced(
    draft: Draft, entry: Entry, items: Sequence[Item], form: Format | None
) -> dict[tuple[TensorId, str], float]:
    units = draft.program.threads_of(draft.program.entry(entry.name))
    where = Where(draft.machine, draft.unit, units)
    prices = pricer(entry, where, representative_symbols(entry, draft.job))
    by_source: dict[str, float] = {}
    for task in entry.tasks:
        by_source[task.source] = by_source.get(task.source, 0.0) + prices.cost(task)[0].seconds
    return {
        (item.tensor, (form or item.formats[0]).name): sum(
            by_source.get(r, 0.0) for r in item.readers
        )
        for item in items
        if form is None or form in item.formats
    }


def _lowered(draft: Draft, items: Sequence[Item], form: Format) -> Entry:
    """The call that repeats with every weight that can be in this format, without its bytes."""
    tensors = list(draft.graph.tensors)
    for item in items:
        if form in item.formats:
            size = item.elements * form.block_bytes // form.block_elements
            nothing = ArrayData(np.broadcast_to(np.uint8(0), (size,)))
            tensors[item.tensor] = replace(tensors[item.tensor], format=form, data=(nothing,))
    graph = replace(draft.graph, tensors=tuple(tensors))
    name = draft.repeated.entry
    box = entry_symbols(draft.job)[name]
    threads = draft.program.threads_of(draft.program.entry(name))
    lowered = lower_entry(graph, Store(), name, box, total_limit(graph, box), threads)
    tasks = tuple(
        Task(s.opcode, tuple(map(_seen, s.operands)), s.parameters, (), s.parts, s.source)
        for s in lowered.steps
    )
    return Entry(name, tasks, lowered.bounds, lowered.limit, (), ())


def _seen(view: View | None) -> Operand | None:
    """A view without a place, which no price depends on."""
    return None if view is None else Operand(0, 0, view.format, view.shape, view.stride_bytes)
