"""Search: the best layout of a space, proved, and how far the others are.

Every layout that divides network and batch and fits the memory gets a bound that no order of its
passes beats; they are played in the order of their bounds until the next bound is above the best
that was played. So the best is the best of the space, under these prices; the others keep bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.errors import MachineError, PlanError
from netwright.machine.machine import Machine
from netwright.plan.certificate import Certificate
from netwright.plan.infeasible import Infeasible
from netwright.plan.parallel.layout import Layout, Space, layouts
from netwright.plan.parallel.memory import memory_infeasible
from netwright.plan.parallel.price import Pricer
from netwright.plan.parallel.step import Step, bound_seconds, least_seconds, step

Progress: TypeAlias = Callable[[str, float], None]


@final
@dataclass(frozen=True, slots=True)
class Candidate:
    """A layout, and seconds of its step: those of its replay, or a bound that they cannot beat."""

    layout: Layout
    seconds: float
    played: bool


@final
@dataclass(frozen=True, slots=True)
class Found:
    """`best` is None where nothing fits; then `infeasible` says what came nearest.

    `candidates` in the order of their seconds; `refused`: layouts that did not fit.
    """

    best: Step | None
    candidates: tuple[Candidate, ...]
    refused: int
    least_seconds: float
    infeasible: Infeasible | None

    @property
    def certificate(self) -> Certificate | None:
        """How far the best is from what the devices' full rates allow; proved within the space."""
        if self.best is None:
            return None
        method = "products once, at full rates"
        return Certificate("seconds", self.best.seconds, self.least_seconds, method, False)


def search(
    pricer: Pricer, space: Space, on_progress: Progress | None = None, every: int = 0
) -> Found:
    """The best layout; the `every` best by bound are played even if they cannot be the best.

    Raises:
        JobError: the space makes no sense.
        MachineError: the machine has fewer devices, or lacks a link.
        PlanError: no layout divides network and batch.
    """
    machine, network = pricer.machine, pricer.network
    _check_devices(machine, space.devices)
    limit = machine.home(pricer.unit).capacity_bytes
    node = machine.axes[-1].count
    fitting: list[tuple[float, Layout]] = []
    refusals: list[Infeasible] = []
    for layout in layouts(network, space, node):
        refusal = memory_infeasible(network, layout, space.batch, limit)
        if refusal is not None:
            refusals.append(refusal)
        else:
            fitting.append((_least(pricer, layout, space.batch), layout))
    if not fitting and not refusals:
        raise PlanError(_nothing(pricer, space))
    fitting.sort(key=lambda one: one[0])
    played = _played(pricer, space.batch, fitting, every, on_progress)
    best = min(played, key=lambda one: one.seconds, default=None)
    found = [Candidate(one.layout, one.seconds, True) for one in played]
    found += [Candidate(layout, least, False) for least, layout in fitting[len(played) :]]
    found.sort(key=lambda one: one.seconds)
    nearest = min(refusals, key=lambda one: one.gap) if best is None else None
    least = least_seconds(pricer, space.devices, space.batch)
    return Found(best, tuple(found), len(refusals), least, nearest)


def _played(
    pricer: Pricer,
    batch: int,
    fitting: list[tuple[float, Layout]],
    every: int,
    on_progress: Progress | None,
) -> list[Step]:
    found: list[Step] = []
    best = float("inf")
    for place, (least, layout) in enumerate(fitting):
        if least >= best and place >= every:
            break
        if on_progress is not None:
            on_progress(str(layout), min(1.0, least / best))
        found.append(step(pricer, layout, batch))
        best = min(best, found[-1].seconds)
    return found


def _least(pricer: Pricer, layout: Layout, batch: int) -> float:
    """A bound on the step's seconds."""
    least = bound_seconds(pricer.passes(layout), layout, layout.microbatches(batch))
    return least + pricer.after(layout).seconds


def _check_devices(machine: Machine, devices: int) -> None:
    if devices > machine.num_devices:
        raise MachineError(
            f"machine {machine.name}: {devices} devices are asked for, and it has"
            f" {machine.num_devices}; use fewer, or a machine with more"
        )


def _nothing(pricer: Pricer, space: Space) -> str:
    network = pricer.network
    return (
        f"no layout: {network.layers} layers, {network.heads} heads and a batch of {space.batch}"
        f" over {space.devices} devices; expected t x p x d to be the devices, t to divide the"
        " heads, p the layers, and d x micro-batch the batch; change the number of devices or the"
        " batch"
    )
