"""Build: a schedule by its name, some with a number: `hanayo:2` has two waves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.errors import PlanError
from netwright.plan.pipeline.automatic import automatic_zero_bubble, improve
from netwright.plan.pipeline.blockwise import blockwise, breadth_first
from netwright.plan.pipeline.gpipe import gpipe
from netwright.plan.pipeline.interleaved import interleaved
from netwright.plan.pipeline.one_forward_one_backward import one_forward_one_backward
from netwright.plan.pipeline.pipelined_backprop import pipelined_backprop
from netwright.plan.pipeline.schedule import Schedule, verify
from netwright.plan.pipeline.times import StageTimes, peaks
from netwright.plan.pipeline.v_shape import reorder, v_half, v_min, v_placement, v_zero_bubble
from netwright.plan.pipeline.wave import chimera, hanayo, wave_placement
from netwright.plan.pipeline.zero_bubble import zero_bubble_h1, zero_bubble_h2


@final
@dataclass(frozen=True, slots=True)
class Request:
    """What a schedule is wanted for; `limit`: activations of one micro-batch a worker may hold."""

    workers: int
    microbatches: int
    times: StageTimes
    limit: float
    number: int | None = None  # what the name says after its colon


Builder: TypeAlias = Callable[[Request], Schedule]


def _closed(make: Callable[[int, int], Schedule]) -> Builder:
    """A schedule that asks for no times and knows no limit."""
    return lambda request: make(request.workers, request.microbatches)


def _automatic(request: Request) -> Schedule:
    return automatic_zero_bubble(request.microbatches, request.times, request.limit)


def _interleaved(request: Request) -> Schedule:
    return interleaved(request.workers, request.microbatches, request.number or 2)


def _breadth_first(request: Request) -> Schedule:
    return breadth_first(request.workers, request.microbatches, request.times, request.number or 2)


def _zeropp(request: Request) -> Schedule:
    chunks = request.number or 2
    return blockwise(request.workers, request.microbatches, request.times, chunks, request.limit)


def _hanayo(request: Request) -> Schedule:
    waves = request.number or 1
    return hanayo(request.workers, request.microbatches, request.times, waves, request.limit)


def _pipelined_backprop(request: Request) -> Schedule:
    return pipelined_backprop(request.workers, request.microbatches, request.number or 1)


def _chimera(request: Request) -> Schedule:
    return chimera(request.workers, request.microbatches, request.times)


def _polished(make: Callable[[int, int], Schedule]) -> Builder:
    """A building block squeezed, and reordered; the shorter, searched within the block's memory."""

    def build(request: Request) -> Schedule:
        block = make(request.workers, request.microbatches)
        most = max(peaks(block, request.times.kept))
        placement = v_placement(request.workers)
        starts = [block, reorder(block.name, request.workers, request.microbatches)]
        return improve(block.name, placement, request.microbatches, (request.times, most), starts)

    return build


BUILDERS: Mapping[str, Builder] = {
    "gpipe": _closed(gpipe),
    "1f1b": _closed(one_forward_one_backward),
    "1f1b-interleaved": _interleaved,
    "zb-h1": _closed(zero_bubble_h1),
    "zb-h2": _closed(zero_bubble_h2),
    "zb-auto": _automatic,
    "v-min": _polished(v_min),
    "v-half": _polished(v_half),
    "v-zb": _polished(v_zero_bubble),
    "breadth-first": _breadth_first,
    "zeropp": _zeropp,
    "hanayo": _hanayo,
    "chimera": _chimera,
    "pipelined-backprop": _pipelined_backprop,
}
V_SHAPED = ("v-min", "v-half", "v-zb")
TRAINED = tuple(name for name in BUILDERS if name != "chimera")  # that nw.train can run
# What a number after a name is, and what it is without one.
MOST = 64
NUMBERED = {
    "1f1b-interleaved": ("chunks a worker", 2),
    "breadth-first": ("chunks a worker", 2),
    "zeropp": ("chunks a worker", 2),
    "hanayo": ("waves", 1),
    "pipelined-backprop": ("chunks a worker", 1),
}
# Every micro-batch is a step of the optimiser, and gradients are late.
ASYNCHRONOUS = ("pipelined-backprop",)


def placement_for(name: str, workers: int) -> tuple[int, ...]:
    """Who holds which chunk in a schedule of this name.

    Raises:
        PlanError: there is no such schedule.
    """
    base, number = split_name(name)
    if base in ("1f1b-interleaved", "breadth-first", "zeropp"):
        return tuple(range(workers)) * (number or 2)
    if base == "hanayo":
        return wave_placement(workers, number or 1)
    if base == "pipelined-backprop":
        each = number or 1
        return tuple(chunk // each for chunk in range(workers * each))
    return v_placement(workers) if base in V_SHAPED else tuple(range(workers))


def split_name(name: str) -> tuple[str, int | None]:
    """A name as `--schedule` takes it: `hanayo:2` is hanayo with two waves.

    Raises:
        PlanError: there is no such schedule, or it takes no such number.
    """
    base, colon, digits = name.partition(":")
    if base not in BUILDERS:
        raise PlanError(f"no pipeline schedule {base!r}; there are {', '.join(BUILDERS)}")
    if not colon:
        return base, None
    what = NUMBERED.get(base)
    if what is None or not digits.isdecimal() or not 1 <= int(digits) <= MOST:
        taken = f"takes {what[0]}, 1 to {MOST}, after the colon" if what else "takes no number"
        raise PlanError(f"schedule {name!r}: {base} {taken}")
    return base, int(digits)


def build(
    name: str,
    workers: int,
    microbatches: int,
    times: StageTimes | None = None,
    memory_limit: float | None = None,
) -> Schedule:
    """A schedule of this name, verified. Without times F, B and W take the same; the limit is p.

    Only `zb-auto` looks at the limit: the others hold what they hold.

    Raises:
        PlanError: no such schedule, or none for these numbers; the message says what would help.
    """
    if workers < 1 or microbatches < 1:
        raise PlanError(
            f"{name}: {workers} workers and {microbatches} micro-batches; expected at least one"
        )
    base, number = split_name(name)
    even = (1.0,) * workers
    given = times or StageTimes(even, even, even, (0.0,) * workers)
    if given.num_workers != workers:
        raise PlanError(f"{name}: times of {given.num_workers} stages for {workers} workers")
    limit = float(workers) if memory_limit is None else memory_limit
    schedule = BUILDERS[base](Request(workers, microbatches, given, limit, number))
    verify(schedule)
    return schedule
