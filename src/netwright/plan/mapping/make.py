"""Graph × array → Plan: every sum of products mapped, with proofs, and the program of one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.cost.array_cost import mac_joules
from netwright.cost.cost import Cost
from netwright.cost.estimate import estimate
from netwright.cost.formulas import work
from netwright.cost.loop_nest import known
from netwright.cost.nest import Nest
from netwright.cost.systolic import product_of, systolic_cycles
from netwright.graph.graph import Graph
from netwright.graph.unroll import unrolled
from netwright.job.job import Goal, Infer
from netwright.machine.machine import Machine, Unit
from netwright.plan.certificate import Certificate
from netwright.plan.context import for_job
from netwright.plan.decision import Decision
from netwright.plan.infeasible import Infeasible, Lever, Term
from netwright.plan.mapping.cascade import kept_on_chip, pass_decisions
from netwright.plan.mapping.lower import Lowered, lower_steps
from netwright.plan.mapping.search import Mapped, search
from netwright.plan.mapping.steps import Step, Steps, steps_of
from netwright.plan.mapping.text import nest_lines, summary_lines
from netwright.plan.plan import Plan, Prediction
from netwright.program.program import Entry, Program
from netwright.transform.standard import standard

Progress: TypeAlias = Callable[[str, float], None]
ARRAY_MODELS = ("loop_nest", "systolic")


@final
@dataclass(frozen=True, slots=True)
class _Priced:
    """Seconds and joules of the whole program, and what nothing on this array is below."""

    seconds: float
    low_seconds: float
    high_seconds: float
    joules: float | None
    bound_seconds: float
    proved: bool


def array_of(machine: Machine) -> Unit | None:
    """The unit that runs loop nests, where the machine has one."""
    units = [u for u in machine.units if u.cost_model in ARRAY_MODELS and u.array is not None]
    return units[0] if units else None


def make_mapping_plan(
    graph: Graph, machine: Machine, unit: Unit, job: Infer, progress: Progress
) -> Plan:
    """Plans one pass of a graph on an array; every value has the array's width.

    Raises:
        JobError: the graph's sizes depend on symbols.
    """
    flat = unrolled(standard(for_job(graph, job))[0])
    steps = steps_of(flat, lambda op: kept_on_chip(flat, machine, unit, op))
    found = _mapped(machine, unit, steps, job.goal, progress)
    why_not = next((m for m in found.values() if isinstance(m, Infeasible)), None)
    if why_not is not None:
        empty = Program(graph.name, (), (Entry("forward", (), (), 0, (), ()),), (unit.name,))
        none = Certificate("activation_bytes", 0.0, None, "nothing was mapped", False)
        return Plan(graph, machine, job, (), (), none, empty, 0, why_not)
    mapped = {n: m for n, m in found.items() if not isinstance(m, Infeasible)}
    lowered = lower_steps(flat, machine, unit, steps, mapped)
    priced = _price(machine, unit, lowered.program, steps, mapped)
    packing = lowered.packing
    memory = Certificate(
        "activation_bytes", float(packing.height_bytes), float(packing.bound_bytes),
        "packing by lifetimes", packing.proved,
    )  # fmt: skip
    peak = lowered.weights_bytes + packing.height_bytes
    decisions = (
        _widths(unit), *pass_decisions(flat, machine, unit),
        *_mappings(machine, unit, steps, mapped), *_streams(steps),
    )  # fmt: skip
    return Plan(
        graph, machine, job, decisions, (_prediction(priced),), memory, lowered.program, peak,
        _excess(machine, unit, job, lowered, priced),
    )  # fmt: skip


def _mapped(
    machine: Machine, unit: Unit, steps: Steps, goal: Goal, progress: Progress
) -> dict[Nest, Mapped | Infeasible | None]:
    """Every unlike nest once. A systolic array needs no mapping: its dataflow is one."""
    assert unit.array is not None
    found: dict[Nest, Mapped | Infeasible | None] = {}
    for index, step in enumerate(steps.steps):
        if step.nest is None or step.nest in found:
            continue
        progress(f"mapping {step.source}", index / len(steps.steps))
        systolic = unit.cost_model == "systolic"
        found[step.nest] = None if systolic else search(machine, unit.array, step.nest, goal)
    return found


def _price(
    machine: Machine,
    unit: Unit,
    program: Program,
    steps: Steps,
    mapped: dict[Nest, Mapped | None],
) -> _Priced:
    costs: list[Cost] = []
    bound, proved = 0.0, True
    (entry,) = program.entries
    for task, step in zip(entry.tasks, steps.steps, strict=True):
        cost = estimate(machine, unit, work(task.opcode, task.operands, task.parameters, {}))
        costs.append(cost)
        of_step, exact = _bound(unit, step, mapped, cost)
        bound += min(of_step, cost.seconds)
        proved = proved and exact
    joules = [c.joules for c in costs]
    return _Priced(
        sum(c.seconds for c in costs),
        sum(c.interval.low for c in costs),
        sum(c.interval.high for c in costs),
        None if None in joules else sum(j for j in joules if j is not None),
        bound,
        proved,
    )


def _bound(
    unit: Unit, step: Step, mapped: dict[Nest, Mapped | None], cost: Cost
) -> tuple[float, bool]:
    """Seconds that nothing is below, and whether the step is proved to be at them."""
    if step.nest is None:
        return cost.seconds, True
    found = mapped[step.nest]
    assert unit.array is not None
    if found is None:
        return cost.seconds, True  # a dataflow leaves no choice
    certificate = found.certificate
    if certificate.objective == "cycles" and certificate.bound is not None:
        return certificate.bound / unit.array.clock_hertz, certificate.proved
    steps = step.nest.macs / unit.array.size
    return steps / unit.array.clock_hertz, False


def _prediction(priced: _Priced) -> Prediction:
    exact = priced.proved and priced.bound_seconds >= priced.seconds * (1 - 1e-9)
    certificate = Certificate(
        "seconds", priced.seconds, min(priced.bound_seconds, priced.seconds),
        "each operator's bound: of all its mappings, or the array at full rate", exact,
    )  # fmt: skip
    return Prediction(
        "forward", (), priced.seconds, priced.low_seconds, priced.high_seconds, priced.joules,
        certificate,
    )  # fmt: skip


def _excess(
    machine: Machine, unit: Unit, job: Infer, lowered: Lowered, priced: _Priced
) -> Infeasible | None:
    home = machine.home(unit)
    weights, values = float(lowered.weights_bytes), float(lowered.packing.height_bytes)
    limit = float(min(home.capacity_bytes, job.limits.memory_bytes or home.capacity_bytes))
    if weights + values > limit:
        terms = (Term("weights", weights), Term("activations", values))
        lever = Lever(f"a {home.name} of {weights + values:.0f} bytes", weights + values)
        return Infeasible(home.name, weights + values, limit, "bytes", terms, (lever,))
    seconds = job.limits.seconds
    if seconds is not None and priced.seconds > seconds:
        terms = (Term("the mapped operators", priced.seconds),)
        return Infeasible("time", priced.seconds, seconds, "seconds", terms, ())
    return None


def _widths(unit: Unit) -> Decision:
    array = unit.array
    assert array is not None
    return Decision(
        "precision",
        f"inputs {array.input_bits}, weights {array.weight_bits}, sums {array.sum_bits}, outputs "
        f"{array.output_bits} bits",
        "the widths of the array",
        why="what the network loses by it is not judged here",
    )


def _mappings(
    machine: Machine, unit: Unit, steps: Steps, mapped: dict[Nest, Mapped | None]
) -> list[Decision]:
    alike: dict[Nest, list[str]] = {}
    for step in steps.steps:
        if step.nest is not None:
            alike.setdefault(step.nest, []).append(step.source)
    return [_mapping(machine, unit, names, nest, mapped[nest]) for nest, names in alike.items()]


def _mapping(
    machine: Machine, unit: Unit, names: list[str], nest: Nest, found: Mapped | None
) -> Decision:
    more = f" and {len(names) - 1} alike" if len(names) > 1 else ""
    subject = f"mapping of {names[0]}{more}"
    array = unit.array
    assert array is not None
    if found is None:
        assert array.dataflow is not None
        product = product_of(nest)
        rows, columns = (axis.size for axis in array.axes)
        cycles = systolic_cycles(product, rows, columns, array.dataflow)
        times = f" x {product.groups}" if product.groups > 1 else ""
        chosen = f"{product.m} x {product.k} x {product.n}{times}: {cycles} cycles"
        share = 100 * nest.macs / (array.size * cycles)
        why = f"{share:.1f} % of the multipliers"
        method = f"the array's dataflow: {array.dataflow} stay"
        return Decision(subject, chosen, method, value=float(cycles), bound=float(cycles), why=why)
    certificate = found.certificate
    lines = summary_lines(found.placed, mac_joules(unit), known(machine, unit))
    chosen = f"{lines[0]}; {certificate.objective} {certificate.text}"
    why = "\n    ".join([*lines[1:], *nest_lines(found.placed)])
    return Decision(
        subject, chosen, certificate.method, value=certificate.value, bound=certificate.bound,
        unit="joules" if certificate.objective == "memory_joules" else "cycles", why=why,
    )  # fmt: skip


def _streams(steps: Steps) -> list[Decision]:
    others = [step.source for step in steps.steps if step.nest is None]
    if not others:
        return []
    named = ", ".join(others[:4]) + (f" and {len(others) - 4} more" if len(others) > 4 else "")
    return [
        Decision(
            f"no sums of products: {named}",
            "read from and written to the outermost memory; their arithmetic is not counted",
            "bytes over bandwidth",
        )
    ]
