"""Parallel: a transformer and a cluster → the best layout of a training step, and the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

from netwright.cost.transformer import Transformer
from netwright.machine.machine import Machine
from netwright.plan.parallel.layout import Layout, Space
from netwright.plan.parallel.price import pricer
from netwright.plan.parallel.program import step_program
from netwright.plan.parallel.search import Candidate, Found, Progress, search
from netwright.plan.parallel.step import Step
from netwright.plan.plan import infeasible_text
from netwright.plan.quantity import quantity
from netwright.program.program import Program


@final
@dataclass(frozen=True, slots=True)
class Parallel:
    """What was asked, and what was found."""

    network: Transformer
    machine: Machine
    space: Space
    found: Found

    @property
    def best(self) -> Step | None:
        """The layout of least seconds; None where none fits."""
        return self.found.best

    def program(self) -> Program | None:
        """The best layout's pipeline: `.simulate()` plays it, with a trace of every pass."""
        return None if self.best is None else step_program(self.best)

    def operations_per_second(self, made: Step) -> float:
        """Of one device; what is done again is not counted (model operations)."""
        return self.network.operations(self.space.batch) / self.space.devices / made.seconds

    def explain(self, shown: int = 8) -> str:
        """The best layout, where its seconds and bytes go, and the next ones."""
        return "\n".join(self._lines(shown))

    def as_dict(self) -> dict[str, Any]:
        """The object of `parallel --json`."""
        found, best = self.found, self.best
        refusal = found.infeasible
        return {
            "machine": self.machine.name,
            "devices": self.space.devices,
            "batch": self.space.batch,
            "parameters": self.network.parameters,
            "feasible": best is not None,
            "reason": None if refusal is None else infeasible_text(refusal),
            "least_seconds": found.least_seconds,
            "refused": found.refused,
            "best": None if best is None else self._step_dict(best),
            "candidates": [_candidate_dict(one) for one in found.candidates],
        }

    def _step_dict(self, made: Step) -> dict[str, Any]:
        after, certificate = made.after, self.found.certificate
        return {
            **_layout_dict(made.layout),
            "microbatches": made.microbatches,
            "seconds": made.seconds,
            "pipeline_seconds": made.pipeline_seconds,
            "bubble_rate": made.bubble_rate,
            "embedding_seconds": after.embedding_seconds,
            "data_seconds": after.data_seconds,
            "optimiser_seconds": after.optimiser_seconds,
            "operations_per_second": self.operations_per_second(made),
            "memory_bytes": dict(made.memory.terms),
            "gap": None if certificate is None else certificate.gap,
        }

    def _lines(self, shown: int) -> Iterator[str]:
        found, best = self.found, self.best
        billions = self.network.parameters / 1e9
        yield (
            f"{billions:.4g} billion parameters, a step of {self.space.batch} sequences of"
            f" {self.network.sequence} on {self.space.devices} of {self.machine.title}"
        )
        if best is None:
            assert found.infeasible is not None
            yield f"no layout fits, of {found.refused}; the nearest:"
            yield infeasible_text(found.infeasible)
            return
        yield f"best: {best.layout}; {best.microbatches} micro-batches"
        yield from _where(best)
        rate = self.operations_per_second(best) / 1e12
        certificate = found.certificate
        assert certificate is not None
        yield (
            f"{rate:.1f} trillion operations a second and device, what is done again not counted;"
            f" {certificate.value / certificate.bound if certificate.bound else 0:.3g} times what"
            " full rates would take"
        )
        played = sum(one.played for one in found.candidates)
        yield (
            f"optimal among {len(found.candidates)} layouts under these prices ({played} played,"
            f" the others bounded); {found.refused} more do not fit"
        )
        for one in found.candidates[1:shown]:
            more = one.seconds / best.seconds - 1
            yield f"  {'' if one.played else 'at least '}{more:+.1%}: {one.layout}"


def parallel(
    network: Transformer,
    machine: Machine,
    space: Space,
    on_progress: Progress | None = None,
    shown: int = 8,
) -> Parallel:
    """The best layout of the space; the `shown` best are played, not only bounded.

    Raises:
        JobError: the space makes no sense.
        MachineError: the machine has fewer devices, or lacks a link.
        PlanError: no layout divides network and batch.
        UnsupportedError: the machine lacks the arithmetic.
    """
    found = search(pricer(network, machine), space, on_progress, shown)
    return Parallel(network, machine, space, found)


def _where(made: Step) -> Iterator[str]:
    after = made.after
    yield (
        f"{quantity(made.seconds, 'seconds')}: passes {quantity(made.pass_seconds, 'seconds')},"
        f" bubbles {made.bubble_rate:.1%} of the pipeline, ends"
        f" {quantity(after.embedding_seconds, 'seconds')}, data parallel"
        f" {quantity(after.data_seconds, 'seconds')}, optimiser"
        f" {quantity(after.optimiser_seconds, 'seconds')}"
    )
    terms = ", ".join(f"{name} {quantity(value, 'bytes')}" for name, value in made.memory.terms)
    yield f"memory {quantity(made.memory.total_bytes, 'bytes')} of a device: {terms}"


def _layout_dict(layout: Layout) -> dict[str, Any]:
    return {
        "tensor": layout.tensor,
        "pipeline": layout.pipeline,
        "data": layout.data,
        "microbatch": layout.microbatch,
        "chunks": layout.chunks,
        "recompute": layout.recompute.value,
        "along_sequence": layout.along_sequence,
        "sharded": layout.sharded,
    }


def _candidate_dict(one: Candidate) -> dict[str, Any]:
    return {**_layout_dict(one.layout), "seconds": one.seconds, "played": one.played}
