"""Train: a network cut into chunks, a schedule over workers, the program of one step, priced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from netwright.errors import PlanError
from netwright.graph.graph import Graph
from netwright.job.train import Train
from netwright.machine.machine import Machine
from netwright.plan.certificate import Certificate
from netwright.plan.decision import Alternative, Decision
from netwright.plan.pipeline.build import ASYNCHRONOUS, TRAINED, build, placement_for, split_name
from netwright.plan.pipeline.lower import ENTRY, OPCODES, TRANSFER
from netwright.plan.pipeline.price import Prices, Seconds, graph_seconds, machine_prices
from netwright.plan.pipeline.schedule import (
    BACKWARD,
    FORWARD,
    INPUT_GRADIENT,
    WEIGHT_GRADIENT,
    Schedule,
)
from netwright.plan.pipeline.seconds import Costs, Kind, seconds_of, task_seconds, with_seconds
from netwright.plan.pipeline.stages import (
    Chunks,
    boundary_seconds,
    chunks_of_network,
    shared_bytes,
    worker_seconds,
)
from netwright.plan.pipeline.step import SHARED, UPDATE, lower_step
from netwright.plan.plan import Plan, Prediction
from netwright.program.program import Program
from netwright.transform.cut import Holders
from netwright.transform.loss import with_cross_entropy
from netwright.transform.optimise import optimiser_step

CUTS = "cuts"  # metadata: before which operators of the plan's graph the chunks begin


@final
@dataclass(frozen=True, slots=True)
class Crew:
    """Who does the work: prices of one worker, processors that all share, and how that is known."""

    prices: Prices
    processors: int
    method: str


def make_training_plan(
    graph: Graph, machine: Machine, job: Train, crew: Crew | None = None
) -> Plan:
    """Where to cut, what to do when, what that takes and holds. The graph gets its loss.

    All is decided by the machine's cost model, one unit a worker. The prediction is that of the
    crew, if one is given; else the model's, and all units of all members are shared.

    Raises:
        PlanError: there is no such schedule, or the network cannot be cut into that many chunks.
        GraphError: the network has not one output of logits.
        UnsupportedError: an operator has no gradient, or the machine lacks an arithmetic.
    """
    if split_name(job.schedule)[0] not in TRAINED:
        raise PlanError(
            f"train: {job.schedule} holds several copies of the network, and nothing sums their"
            f" gradients here; use one of {', '.join(TRAINED)}"
        )
    place = placement_for(job.schedule, job.workers)
    whole = with_cross_entropy(graph)
    prices = machine_prices(whole, machine, 1)
    found = chunks_of_network(whole, len(place), prices, job.recompute)
    count = machine.num_devices * prices.unit.count
    by = crew or Crew(prices, count, "by the machine's cost model, simulated")
    messages = _messages(found, machine, job)
    exchanges = tuple(_exchange_seconds(found, machine, job, holders) for holders in found.shared)
    schedule = build(
        job.schedule, job.workers, job.microbatches, found.stage_times(place, messages)
    )
    most, late = found.activations(place)
    if any(one.kind is WEIGHT_GRADIENT for order in schedule.orders for one in order):
        most = max(most, late)  # what W needs may be more than what B does
    shared = [[chunk for chunk, _ in holders] for holders in found.shared]
    working = max(found.working_bytes, default=0)
    at_once = _checked(job, found)
    program = lower_step(schedule, most, min(late / most, 1.0), shared, working, at_once)
    cuts = (CUTS, ",".join(map(str, found.partition.places)))
    program = replace(program, machine=machine.name, metadata=(*program.metadata, cuts))
    ranges = _ranges(found.priced(by.prices), job, by.prices)
    expected, *spread = (
        with_seconds(program, _costs(ranges, (messages, exchanges), name), by.processors)
        for name in ("expected", "low", "high")
    )
    program = expected
    peak = max((arena.size_bytes for arena in program.arenas), default=0)
    memory = Certificate(
        "activation_bytes", float(peak), None, "liveness of every micro-batch under way", False
    )
    predictions = (_prediction(program, by, [one.simulate().seconds for one in spread]),)
    decisions = _decisions(found, schedule)
    return Plan(whole, machine, job, decisions, predictions, memory, program, peak)


def _checked(job: Train, found: Chunks) -> bool:
    """Whether every micro-batch is a step of the optimiser."""
    late = split_name(job.schedule)[0] in ASYNCHRONOUS
    if late and (found.shared or job.recompute):
        what = "a weight of several chunks" if found.shared else "passes done again"
        raise PlanError(
            f"train: {job.schedule} updates weights between two passes of a micro-batch, and {what}"
            " would need them as they were; untie the network or keep activations"
        )
    if not late and (job.delays.spike_compensation or job.delays.weight_prediction):
        raise PlanError(f"train: no gradient is late under {job.schedule}; leave `delays` out")
    return late


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


def _messages(found: Chunks, machine: Machine, job: Train) -> tuple[float, ...]:
    """A message over every boundary, with the delay that the job adds."""
    place = placement_for(job.schedule, job.workers)
    plain = boundary_seconds(machine, place, found.message_bytes)
    return tuple(
        seconds + (job.link_delay_seconds if place[b] != place[b + 1] else 0.0)
        for b, seconds in enumerate(plain)
    )


def _ranges(found: Chunks, job: Train, prices: Prices) -> dict[Kind, Seconds]:
    """What every pass and every optimiser's step takes."""
    ranges: dict[Kind, Seconds] = {}
    for chunk, (passes, derivative) in enumerate(zip(found.passes, found.derivatives, strict=True)):
        places = dict.fromkeys(place for place, _ in derivative.weights)
        weights = [derivative.forward[place] for place in places]
        both = Seconds(
            passes.input.expected + passes.weight.expected,
            passes.input.low + passes.weight.low,
            passes.input.high + passes.weight.high,
        )
        ranges[OPCODES[FORWARD], chunk, 0] = passes.forward
        ranges[OPCODES[INPUT_GRADIENT], chunk, 0] = passes.input
        ranges[OPCODES[WEIGHT_GRADIENT], chunk, 0] = passes.weight
        ranges[OPCODES[BACKWARD], chunk, 0] = both
        ranges[UPDATE, chunk, 0] = graph_seconds(optimiser_step(weights, job.optimiser), prices)
    return ranges


def _exchange_seconds(found: Chunks, machine: Machine, job: Train, holders: Holders) -> float:
    """One holder's sum of a shared weight's gradients, to the holder that is furthest away."""
    place = placement_for(job.schedule, job.workers)
    workers = [place[chunk] for chunk, _ in holders]
    size = shared_bytes(found, holders)
    pairs = [(a, b) for a in workers for b in workers if a != b]
    slowest = max(
        (worker_seconds(machine, job.workers, (a, b), size) for a, b in pairs), default=0.0
    )
    return slowest + (job.link_delay_seconds if pairs else 0.0)


def _costs(
    ranges: dict[Kind, Seconds], messages: tuple[Sequence[float], Sequence[float]], name: str
) -> Costs:
    """One of the three figures of every pass; messages are as they are."""
    found: dict[Kind, float] = {kind: getattr(one, name) for kind, one in ranges.items()}
    for boundary, seconds in enumerate(messages[0]):
        found[TRANSFER, 0, boundary] = found[TRANSFER, 1, boundary] = seconds
    for number, seconds in enumerate(messages[1]):
        found[TRANSFER, SHARED, number] = seconds
    return found


def _prediction(program: Program, crew: Crew, spread: Sequence[float]) -> Prediction:
    """The simulated step; nothing is shorter than a worker's work, or all work on all processors.

    A fixed program whose tasks all take longer ends no sooner: so the range is that of all low and
    all high.
    """
    seconds = program.simulate().seconds
    by_worker: dict[int, float] = {}
    costs = seconds_of(program)
    assert costs is not None
    tasks = program.entries[0].tasks
    for task, cost in zip(tasks, task_seconds(program, costs), strict=True):
        if task.opcode != TRANSFER:
            by_worker[task.worker] = by_worker.get(task.worker, 0.0) + cost
    bound = max(max(by_worker.values()), sum(by_worker.values()) / crew.processors)
    certificate = Certificate(
        "seconds", seconds, min(bound, seconds), f"{crew.method}; bound: work alone", False
    )
    return Prediction(ENTRY, (), seconds, spread[0], spread[1], None, certificate)


def _decisions(found: Chunks, schedule: Schedule) -> tuple[Decision, ...]:
    cut = found.partition
    shares = ", ".join(f"{100 * n / sum(cut.seconds):.0f} %" for n in cut.seconds)
    return (
        Decision(
            "chunks",
            f"{len(found.parts)}: {shares} of the seconds",
            cut.certificate.method,
            value=cut.certificate.value,
            bound=cut.certificate.bound,
        ),
        Decision(
            "schedule",
            schedule.name,
            "as asked",
            tuple(Alternative(name) for name in TRAINED if name != schedule.name),
        ),
    )
