"""Plan: the decisions, each with what was weighed, and how far the whole is from the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.errors import PlanError
from netwright.graph.graph import Graph
from netwright.job.job import Job
from netwright.job.train import Train
from netwright.machine.machine import Machine
from netwright.plan.certificate import Certificate
from netwright.plan.decision import Decision
from netwright.plan.infeasible import Infeasible
from netwright.plan.quantity import quantity
from netwright.program.program import Program


@final
@dataclass(frozen=True, slots=True)
class Prediction:
    """What one entry takes at the given symbols, with the bound that no plan can beat."""

    entry: str
    symbols: tuple[tuple[str, int], ...]
    seconds: float
    low_seconds: float
    high_seconds: float
    joules: float | None
    certificate: Certificate


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """How to run a graph on a machine. `infeasible` says why not, and what would make it fit."""

    graph: Graph
    machine: Machine
    job: Job | Train
    decisions: tuple[Decision, ...]
    predictions: tuple[Prediction, ...]
    memory: Certificate
    program: Program
    peak_memory_bytes: int
    infeasible: Infeasible | None = None

    def lower(self) -> Program:
        """The flat program.

        Raises:
            PlanError: the plan is infeasible; the message carries demand, limit and levers.
        """
        if self.infeasible is not None:
            raise PlanError(infeasible_text(self.infeasible))
        return self.program

    def prediction(self, entry: str) -> Prediction:
        """The prediction for one entry.

        Raises:
            PlanError: there is no such entry.
        """
        for prediction in self.predictions:
            if prediction.entry == entry:
                return prediction
        names = ", ".join(p.entry for p in self.predictions)
        raise PlanError(f"no entry {entry!r}; the plan has {names}")

    def explain(self) -> str:
        """Every decision with its alternatives, and the proved gap to the bound."""
        return explanation(self)


def infeasible_text(reason: Infeasible) -> str:
    """One paragraph: does not fit, by how much, what it is made of, what would help."""
    demand, limit = quantity(reason.demand, reason.unit), quantity(reason.limit, reason.unit)
    terms = ", ".join(f"{t.name} {quantity(t.value, reason.unit)}" for t in reason.terms)
    text = f"does not fit: {demand} of {reason.resource} against {limit} ({terms})"
    levers = [f"{lv.name} ({quantity(lv.demand, reason.unit)})" for lv in reason.levers]
    if levers:
        text += "; it would fit with " + ", or with ".join(levers)
    return text


def explanation(plan: Plan) -> str:
    """`Plan.explain` as lines of text."""
    lines = [f"{plan.graph.name} on {plan.machine.title}"]
    if plan.infeasible is not None:
        lines.append("  " + infeasible_text(plan.infeasible))
    for prediction in plan.predictions:
        at = ", ".join(f"{name} {value}" for name, value in prediction.symbols)
        interval = (
            f"{quantity(prediction.low_seconds, 'seconds')} to "
            f"{quantity(prediction.high_seconds, 'seconds')}"
        )
        certificate = prediction.certificate
        bound = "" if certificate.bound is None else quantity(certificate.bound, "seconds")
        lines.append(
            f"  {prediction.entry}{f' ({at})' if at else ''}: "
            f"{quantity(prediction.seconds, 'seconds')} ({interval}); "
            f"bound {bound or 'unknown'}, {certificate.text} ({certificate.method})"
        )
    lines.append(
        f"  memory: {quantity(plan.peak_memory_bytes, 'bytes')} at most; "
        f"scratch {quantity(plan.memory.value, 'bytes')}, {plan.memory.text} "
        f"({plan.memory.method})"
    )
    for decision in plan.decisions:
        lines.append(f"  {decision.subject}: {decision.chosen} [{decision.method}]")
        if decision.why:
            lines.append(f"    {decision.why}")
        for other in decision.alternatives:
            value = "" if other.value is None else f": {quantity(other.value, decision.unit)}"
            lines.append(f"    - {other.name}{value}")
    return "\n".join(lines)
