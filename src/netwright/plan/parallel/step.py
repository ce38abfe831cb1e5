"""Step: what one step of training takes under a layout, by the replay of its schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import final

from netwright.plan.parallel.layout import Layout, check_layout
from netwright.plan.parallel.memory import DeviceMemory, device_memory
from netwright.plan.parallel.price import After, Passes, Pricer
from netwright.plan.pipeline.interleaved import interleaved
from netwright.plan.pipeline.one_forward_one_backward import one_forward_one_backward
from netwright.plan.pipeline.schedule import Schedule
from netwright.plan.pipeline.span import end_seconds, fused_times


@final
@dataclass(frozen=True, slots=True)
class Step:
    """One layout, priced. `pipeline_seconds`: from the first pass to the last; `pass_seconds`: what
    the busiest stage computes of it; `bound_seconds`: no order of these passes ends sooner.
    """

    layout: Layout
    passes: Passes
    after: After
    memory: DeviceMemory
    microbatches: int
    pipeline_seconds: float
    pass_seconds: float
    bound_seconds: float

    @property
    def seconds(self) -> float:
        """Of the whole step."""
        return self.pipeline_seconds + self.after.seconds

    @property
    def bubble_rate(self) -> float:
        """Share of the pipeline's time in which the busiest stage waits."""
        return 1 - self.pass_seconds / self.pipeline_seconds


def schedule_of(layout: Layout) -> Callable[[int], Schedule]:
    """Its schedule, by the number of micro-batches: 1F1B, interleaved where there are chunks."""
    if layout.chunks == 1:
        return partial(one_forward_one_backward, layout.pipeline)
    return partial(interleaved, layout.pipeline, chunks_each=layout.chunks)


def step(pricer: Pricer, layout: Layout, batch: int) -> Step:
    """A step of `batch` sequences, played.

    Raises:
        JobError: the layout does not divide network or batch.
        MachineError: the machine has too few members, or lacks a link.
    """
    check_layout(layout, pricer.network, batch)
    passes, m = pricer.passes(layout), layout.microbatches(batch)
    times = fused_times(passes.forward, passes.backward)
    played = end_seconds(schedule_of(layout)(m), times)
    return Step(
        layout,
        passes,
        pricer.after(layout),
        device_memory(pricer.network, layout, batch),
        m,
        played,
        m * max(_stage_seconds(passes, layout)),
        bound_seconds(passes, layout, m),
    )


def bound_seconds(passes: Passes, layout: Layout, microbatches: int) -> float:
    """No order of these passes on these stages ends sooner.

    Stage w waits for the first micro-batch's passes of the chunks before its first, does all of its
    own, and after its last the gradient still goes back through them.
    """
    onwards = back = best = 0.0
    stages = _stage_seconds(passes, layout)
    for stage, work in enumerate(stages):
        best = max(best, onwards + microbatches * work + back)
        onwards += passes.forward[stage]
        back += passes.backward[stage]
    return best


def least_seconds(pricer: Pricer, devices: int, batch: int) -> float:
    """No layout of so many devices ends sooner: every product once, at the devices' full rates."""
    found = pricer.unit.rate("fp16")
    assert found is not None  # the pricer's unit has it
    return pricer.network.operations(batch) / (devices * pricer.unit.count * found[1])


def _stage_seconds(passes: Passes, layout: Layout) -> list[float]:
    """One micro-batch through all that a stage holds."""
    p = layout.pipeline
    return [sum(passes.forward[w::p]) + sum(passes.backward[w::p]) for w in range(p)]
