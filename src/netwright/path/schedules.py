"""Schedules built, replayed and certified side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from netwright.errors import PlanError
from netwright.plan.certificate import Certificate
from netwright.plan.pipeline.build import build
from netwright.plan.pipeline.certify import certify
from netwright.plan.pipeline.times import StageTimes
from netwright.simulate.pipeline import Replay, replay

Progress: TypeAlias = Callable[[str, float], None]
_SLACK = 1e-9


@final
@dataclass(frozen=True, slots=True)
class Wish:
    """What schedules are compared on. `limit`: activations of one micro-batch a worker may hold;
    `prove_seconds`: for CP-SAT on each small schedule that no analytic bound proves.
    """

    times: StageTimes
    microbatches: int
    limit: float
    prove_seconds: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Scheduled:
    """One schedule with its timeline, and how far its span is from the shortest."""

    replay: Replay
    certificate: Certificate
    fits: bool  # whether no worker holds more than the limit

    @property
    def name(self) -> str:
        """The schedule's."""
        return self.replay.schedule.name

    def as_dict(self) -> dict[str, Any]:
        """The object of `schedule --json`."""
        bound = self.certificate.bound
        return {
            "name": self.name,
            "makespan_seconds": self.replay.span_seconds,
            "bubble_rate": self.replay.bubble_rate,
            "peak_memory": self.replay.peak,
            "bound_seconds": bound,
            "proved": self.certificate.proved,
            "gap": self.certificate.gap,
            "bound_method": self.certificate.method,
            "fits_memory": self.fits,
            "end_to_end_seconds": self.replay.seconds,
        }


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """Those that fit first, the shortest span first; and why others could not be built."""

    found: tuple[Scheduled, ...]
    left_out: tuple[tuple[str, str], ...]  # name, reason


def schedule_one(name: str, wish: Wish) -> Scheduled:
    """Builds, verifies, lowers, replays and certifies one schedule.

    Raises:
        PlanError: there is no such schedule, or none for these numbers.
    """
    times = wish.times
    made = build(name, times.num_workers, wish.microbatches, times, wish.limit)
    played = replay(made, times)
    # One that holds more than the limit is judged among those that may hold as much.
    limit = max(wish.limit, played.peak)
    certificate = certify(made, times, played.span_seconds, limit, wish.prove_seconds)
    return Scheduled(played, certificate, played.peak <= wish.limit * (1 + _SLACK))


def compare_schedules(
    names: Sequence[str], wish: Wish, on_progress: Progress | None = None
) -> Comparison:
    """All of these, ranked. One that cannot be built for these numbers is left out and named.

    Raises:
        PlanError: none can be built.
    """
    found: list[Scheduled] = []
    left_out: list[tuple[str, str]] = []
    for index, name in enumerate(names):
        if on_progress is not None:
            on_progress(name, index / len(names))
        try:
            found.append(schedule_one(name, wish))
        except PlanError as error:
            left_out.append((name, str(error)))
    if on_progress is not None:
        on_progress("", 1.0)
    if not found:
        raise PlanError("; ".join(reason for _, reason in left_out))
    ranked = sorted(found, key=lambda one: (not one.fits, one.replay.span_seconds))
    return Comparison(tuple(ranked), tuple(left_out))
