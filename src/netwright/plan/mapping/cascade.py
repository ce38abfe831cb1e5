"""How many passes an operator makes over each of its ranks, and what that keeps or moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from netwright.graph.element import type_of
from netwright.graph.extent import resolve
from netwright.graph.graph import Graph
from netwright.graph.op import Einsum, Op, TensorType
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.attention_forms import one_pass, two_pass
from netwright.graph.passes import Crossing, crossings, passes
from netwright.machine.machine import Machine, Unit
from netwright.plan.decision import Alternative, Decision
from netwright.plan.quantity import count, quantity

Types: TypeAlias = Sequence[TensorType | None]
Form: TypeAlias = Callable[[Attention, Types, TensorType], tuple[Einsum, ...]]
FORMS: tuple[tuple[str, Form], ...] = (
    ("division after the product", two_pass),
    ("a running maximum", one_pass),
)
METHOD = "passes of a cascade (TeAAL, arXiv 2304.07931; FuseMax, arXiv 2406.10491)"


def pass_decisions(graph: Graph, machine: Machine, unit: Unit) -> tuple[Decision, ...]:
    """One decision for every operator that passes a rank more than once; alike ones together."""
    found: dict[tuple[Einsum, ...], list[Op]] = {}
    types_of: dict[tuple[Einsum, ...], tuple[Types, TensorType]] = {}
    for op, _ in graph.ops():
        types = [None if i is None else type_of(graph[i]) for i in op.inputs]
        outputs = op.kind.infer(types)
        cascade = op.kind.einsums(types, outputs)
        if len(cascade) > 1 and max(passes(cascade).ranks.values(), default=0) > 1:
            found.setdefault(cascade, []).append(op)
            types_of[cascade] = (types, outputs[0])
    return tuple(
        _decision(machine, unit, ops, cascade, types_of[cascade]) for cascade, ops in found.items()
    )


def kept_on_chip(graph: Graph, machine: Machine, unit: Unit, op: Op) -> int | None:
    """Elements kept between the passes of an operator's chosen form; None: they do not fit."""
    types = [None if i is None else type_of(graph[i]) for i in op.inputs]
    outputs = op.kind.infer(types)
    cascade = op.kind.einsums(types, outputs)
    _, chosen, fits = _choose(machine, unit, _forms(op, cascade, (types, outputs[0])))
    return kept_elements(chosen) if fits else None


def _forms(
    op: Op, cascade: tuple[Einsum, ...], given: tuple[Types, TensorType]
) -> list[tuple[str, tuple[Einsum, ...]]]:
    forms = [("as defined", cascade)]
    if isinstance(op.kind, Attention):
        forms += [(name, form(op.kind, *given)) for name, form in FORMS]
    return forms


def _choose(
    machine: Machine, unit: Unit, forms: list[tuple[str, tuple[Einsum, ...]]]
) -> tuple[str, tuple[Einsum, ...], bool]:
    """Of the forms that need not go out and come back, the one of fewest scalar operations."""
    assert unit.array is not None
    element_bytes = unit.array.input_bits / 8
    room = on_chip_bytes(machine, unit)
    fitting = [f for f in forms if kept_elements(f[1]) * element_bytes <= room]
    name, chosen = min(fitting or forms[-1:], key=lambda form: scalar_operations(form[1]))
    return name, chosen, bool(fitting)


def _decision(
    machine: Machine,
    unit: Unit,
    ops: list[Op],
    cascade: tuple[Einsum, ...],
    given: tuple[Types, TensorType],
) -> Decision:
    assert unit.array is not None
    element_bytes = unit.array.input_bits / 8
    forms = _forms(ops[0], cascade, given)
    name, chosen, fits = _choose(machine, unit, forms)
    alternatives = tuple(
        Alternative(f"{other}: {form_text(c, element_bytes)}")
        for other, c in forms
        if other != name
    )
    subject = f"passes of {ops[0].name}" + (f" and {len(ops) - 1} alike" if len(ops) > 1 else "")
    room = quantity(on_chip_bytes(machine, unit), "bytes")
    how = "fits in" if fits else "does not fit in"
    why = f"what is kept for one point of the other loops {how} {room} on chip"
    text = f"{name}: {form_text(chosen, element_bytes)}"
    return Decision(subject, text, METHOD, alternatives, why=why)


def form_text(cascade: tuple[Einsum, ...], element_bytes: float) -> str:
    """Passes over each rank that has more than one, what is kept, and what is moved instead."""
    ranks = {rank: number for rank, number in passes(cascade).ranks.items() if number > 1}
    over = (
        ", ".join(f"{number} over {rank}" for rank, number in ranks.items()) or "1 over every rank"
    )
    found = crossings(cascade)
    kept = quantity(kept_elements(cascade) * element_bytes, "bytes")
    moved = quantity(moved_elements(cascade) * element_bytes, "bytes")
    text = f"passes {over}; {count(scalar_operations(cascade))}operations"
    if not found:
        return f"{text}; nothing is kept from pass to pass, whatever the length"
    return f"{text}; keeps {kept} between passes, or moves {moved} out and back"


def kept_elements(cascade: tuple[Einsum, ...]) -> int:
    """The least buffer: values that cross between passes, for one point of the other loops."""
    found = crossings(cascade)
    worst = 0
    for rank in {c.rank for c in found}:
        here = [c for c in found if c.rank == rank and c.operand < 0]
        last = max((max(c.needed) for c in here), default=0)
        for boundary in range(1, last):
            alive = (c for c in here if c.made <= boundary < max(c.needed))
            worst = max(worst, sum(c.along for c in alive))
    return worst


def moved_elements(cascade: tuple[Einsum, ...]) -> int:
    """Elements moved when nothing is kept: each value out once, and back for each later pass."""
    return sum(_moved(c) for c in crossings(cascade))


def _moved(crossing: Crossing) -> int:
    out = 1 if crossing.operand < 0 else 0
    return crossing.elements * (out + len(crossing.needed))


def scalar_operations(cascade: tuple[Einsum, ...]) -> int:
    """Mapped elements of all einsums; a multiply-accumulate counts once."""
    return sum(math.prod(resolve(size, {}) for _, size in e.loops) for e in cascade)


def on_chip_bytes(machine: Machine, unit: Unit) -> float:
    """The largest memory of the array but for its outermost."""
    assert unit.array is not None
    inner = [machine.memory(level.memory) for level in unit.array.levels[:-1]]
    return float(max((m.capacity_bytes for m in inner), default=0))
