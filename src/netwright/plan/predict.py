"""What a program's entries take on a machine, and what nothing can beat."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, final

from netwright.cost.cost import Cost, Setting
from netwright.cost.estimate import best_unit, estimate, lower_bound
from netwright.cost.formulas import work
from netwright.cost.work import OperandLike, Work
from netwright.errors import PlanError
from netwright.graph.extent import Extent
from netwright.job.job import Generate, Job
from netwright.machine.machine import Basis, Machine, Unit
from netwright.plan.certificate import Certificate
from netwright.plan.plan import Prediction
from netwright.program.program import Entry, Program, Task


@final
@dataclass(frozen=True, slots=True)
class Where:
    """The unit and the number of its instances that a program runs on."""

    machine: Machine
    unit: Unit
    units: int


class Priced(Protocol):
    """What a price depends on; a task is one, and so is a step that has no addresses yet."""

    @property
    def opcode(self) -> str: ...

    @property
    def operands(self) -> Sequence[OperandLike | None]: ...

    @property
    def parameters(self) -> tuple[Extent | float, ...]: ...

    @property
    def parts(self) -> int: ...


@final
@dataclass(slots=True)
class Works:
    """What tasks ask for at given symbols; alike tasks (of alike layers, say) are asked once."""

    symbols: Mapping[str, int]
    known: dict[Hashable, Work] = field(default_factory=dict[Hashable, Work])

    def of(self, task: Priced) -> Work:
        """Operations and bytes of one task."""
        key = _looks(task)
        found = self.known.get(key)
        if found is None:
            found = work(task.opcode, task.operands, task.parameters, self.symbols)
            self.known[key] = found
        return found


@final
@dataclass(slots=True)
class Pricer:
    """Costs of an entry's tasks; between two uses of a weight lies all that the entry reads."""

    where: Where
    works: Works
    weights_reuse_bytes: int
    costs: dict[Hashable, tuple[Cost, float]] = field(
        default_factory=dict[Hashable, tuple[Cost, float]]
    )

    def cost(self, task: Priced) -> tuple[Cost, float]:
        """Cost, and seconds that nothing beats. A task of p parts keeps p units busy at most."""
        units = min(self.where.units, task.parts)
        key = (_looks(task), units)
        found = self.costs.get(key)
        if found is None:
            demand, where, reuse = self.works.of(task), self.where, self.weights_reuse_bytes
            busy = Setting(units, weights_reuse_bytes=reuse)
            whole = Setting(where.units, weights_reuse_bytes=reuse)
            found = (
                estimate(where.machine, where.unit, demand, busy),
                lower_bound(where.machine, where.unit, demand, whole),
            )
            self.costs[key] = found
        return found


def _looks(task: Priced) -> Hashable:
    """All that a cost depends on: not addresses, not names."""
    seen = tuple(None if o is None else (o.format, o.shape, o.stride_bytes) for o in task.operands)
    return task.opcode, seen, task.parameters


def pricer(entry: Entry, where: Where, symbols: Mapping[str, int]) -> Pricer:
    """Prices for the tasks of an entry at these symbols."""
    works = Works(symbols)
    reuse = sum(t.read_bytes for task in entry.tasks for t in works.of(task).traffic)
    return Pricer(where, works, reuse)


def representative_symbols(entry: Entry, job: Job) -> dict[str, int]:
    """The symbols that a prediction is made for: the whole first chunk; the middle of the text."""
    bounds = {name: (low, high) for name, low, high in entry.bounds}
    return symbols_of(entry.name, bounds, entry.limit, job)


def symbols_of(
    entry: str, bounds: Mapping[str, tuple[int, int]], limit: int, job: Job
) -> dict[str, int]:
    """The same before the entry is lowered. `limit` is the most that its symbols may add up to."""
    if not isinstance(job, Generate) or not bounds:
        return {name: high for name, (_, high) in bounds.items()}
    tokens_low, tokens_high = bounds["n_tokens"]
    if entry == "prefill":
        return {"n_tokens": min(tokens_high, job.prompt), "n_past": 0}
    past = min(job.prompt + job.tokens // 2, limit - tokens_high)
    return {"n_tokens": tokens_high if tokens_low > 1 else 1, "n_past": max(0, past)}


def choose_unit(machine: Machine, task: Task, symbols: Mapping[str, int]) -> Unit:
    """The unit that does the largest task soonest."""
    return best_unit(machine, work(task.opcode, task.operands, task.parameters, symbols))


def predict(entry: Entry, where: Where, symbols: Mapping[str, int]) -> Prediction:
    """Sum over tasks, one after another; the bound is the total demand on the scarcest resource.

    The bound takes every byte once from where it lives at full bandwidth and every operation at
    peak rate: whatever order, tiling or fusion is chosen, it cannot be faster.
    """
    prices = pricer(entry, where, symbols)
    seconds = low = high = bound = 0.0
    joules: float | None = 0.0
    for task in entry.tasks:
        cost, least = prices.cost(task)
        seconds += cost.seconds
        low += cost.interval.low
        high += cost.interval.high
        bound += least
        joules = None if joules is None or cost.joules is None else joules + cost.joules
    times = entry.repeats
    seconds, low, high, bound = (times * s for s in (seconds, low, high, bound))
    joules = None if joules is None else times * joules
    certificate = Certificate("seconds", seconds, min(bound, seconds), _method(where.unit), False)
    return Prediction(
        entry.name, tuple(sorted(symbols.items())), seconds, low, high, joules, certificate
    )


def _method(unit: Unit) -> str:
    """What the bound rests on: it is proved only as far as the rates are."""
    if unit.source.basis is Basis.MEASURED:
        return "by measured rates: each task's roofline at the best that the probe saw"
    return "by the machine file's rates: each task's roofline at peak"


def largest_task(program: Program) -> Task:
    """The task by which the unit is chosen: the one with most operations.

    Raises:
        PlanError: the program is empty.
    """
    best: tuple[float, Task] | None = None
    for entry in program.entries:
        works = Works({name: high for name, _, high in entry.bounds})
        for task in entry.tasks:
            size = works.of(task).num_operations
            if best is None or size > best[0]:
                best = (size, task)
    if best is None:
        raise PlanError(f"{program.name}: has no task")
    return best[1]
