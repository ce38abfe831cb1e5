"""Train: a network cut into chunks, a schedule over workers, the program of one step."""

from __future__ import annotations

from dataclasses import replace

from netwright.graph.element import type_of
from netwright.graph.graph import Graph
from netwright.graph.tensor import Role, TensorId
from netwright.job.train import Train
from netwright.machine.machine import Machine
from netwright.plan.certificate import Certificate
from netwright.plan.decision import Alternative, Decision
from netwright.plan.pipeline.build import BUILDERS, build
from netwright.plan.pipeline.partition import partition
from netwright.plan.pipeline.schedule import WEIGHT_GRADIENT
from netwright.plan.pipeline.step import UPDATE, lower_step
from netwright.plan.plan import Plan
from netwright.transform.cut import cut
from netwright.transform.differentiate import Derivative, differentiate
from netwright.transform.loss import with_cross_entropy

CUTS = "cuts"  # metadata: before which operators of the plan's graph the chunks begin
_ITEM_BYTES = {"float": 4, "int": 8, "bool": 1}  # as torch holds them


def make_training_plan(graph: Graph, machine: Machine, job: Train) -> Plan:
    """Where to cut, what to do when, and what that holds in memory. The graph gets its loss.

    Raises:
        PlanError: there is no such schedule, or the network cannot be cut into that many chunks.
        GraphError: the network has not one output of logits.
        UnsupportedError: an operator has no gradient.
    """
    schedule = build(job.schedule, job.workers, job.microbatches)
    whole = with_cross_entropy(graph)
    found = partition(whole, schedule.num_chunks)
    parts = cut(whole, found.places)
    held = [_held_bytes(differentiate(part)) for part in parts]
    early, late = (
        max(
            sum(h[i] for h, owner in zip(held, schedule.placement, strict=True) if owner == worker)
            for worker in range(job.workers)
        )
        for i in (0, 1)
    )
    apart = any(one.kind is WEIGHT_GRADIENT for order in schedule.orders for one in order)
    most = max(early, late if apart else 0, 2)  # what W needs may be more than what B does
    program = lower_step(schedule, most, min(late / most, 1.0))
    program = replace(
        program, metadata=(*program.metadata, (CUTS, ",".join(map(str, found.places))))
    )
    peak = max((arena.size_bytes for arena in program.arenas), default=0)
    shares = ", ".join(f"{100 * n / sum(found.operations):.0f} %" for n in found.operations)
    decisions = (
        Decision(
            "chunks",
            f"{len(parts)}: {shares} of the operations",
            found.certificate.method,
            value=found.certificate.value,
            bound=found.certificate.bound,
        ),
        Decision(
            "schedule",
            schedule.name,
            "as asked",
            tuple(Alternative(name) for name in BUILDERS if name != schedule.name),
        ),
    )
    memory = Certificate(
        "activation_bytes", float(peak), None, "liveness of every micro-batch under way", False
    )
    return Plan(whole, machine, job, decisions, (), memory, program, peak)


def cuts_of(plan: Plan) -> tuple[int, ...]:
    """Before which operators of the plan's graph its chunks begin."""
    text = dict(plan.program.metadata)[CUTS]
    return tuple(int(place) for place in text.split(",") if place)


def placement_of(plan: Plan) -> tuple[int, ...]:
    """The worker of every chunk."""
    found: dict[int, int] = {}
    for task in plan.program.entries[0].tasks:
        chunk = task.parameters[0]
        if task.opcode == UPDATE and isinstance(chunk, int):
            found[chunk] = task.worker
    return tuple(found[chunk] for chunk in sorted(found))


def _held_bytes(found: Derivative) -> tuple[int, int]:
    """What a chunk keeps of a micro-batch after its forward pass, and after its input gradient."""
    late = {*found.weight_gradient.inputs, *(of for _, of in found.weights)}
    early = {*found.input_gradient.inputs, *found.weight_gradient.inputs}
    made = {*found.forward.outputs, *found.forward.inputs}
    after = made | set(found.input_gradient.outputs) | {seed for _, seed in found.seeds}
    return _bytes(found, early & made), _bytes(found, late & after)


def _bytes(found: Derivative, places: set[TensorId]) -> int:
    total = 0
    for place in places:
        tensor = found.forward[place]
        if tensor.role is Role.WEIGHT:
            continue
        size = _ITEM_BYTES[type_of(tensor).element]
        for extent in tensor.shape:
            size *= extent if isinstance(extent, int) else 1
        total += size
    return total
