"""Outcome: what a run gave, predicted and measured side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, final

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netwright.timeline.timeline import Timeline

    Look: TypeAlias = Callable[[], tuple[Timeline, Timeline]]


REPEATING = ("decode", "forward", "step")


@final
@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one run. A generating network has the token ones, others `seconds`."""

    peak_memory_bytes: int
    energy_joules: float | None = None
    seconds: float | None = None
    prompt_token_seconds: float | None = None
    token_seconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        times = (
            {"seconds": self.seconds}
            if self.seconds is not None
            else {
                "prompt_token_seconds": self.prompt_token_seconds,
                "token_seconds": self.token_seconds,
            }
        )
        return {
            **times,
            "peak_memory_bytes": self.peak_memory_bytes,
            "energy_joules": self.energy_joules,
        }


@final
@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A run: what came out, what was predicted, what was measured, and the plan's promise.

    `look` gives both timelines, predicted and measured, and does its work when it is first asked:
    it simulates, and traces one more call. `notes` are for the user to read.
    """

    network: str
    machine: str
    predicted: Figures
    measured: Figures
    plan: Mapping[str, Any]
    look: Look
    text: str | None = None
    outputs: Mapping[str, NDArray[Any]] | None = None
    notes: tuple[str, ...] = ()

    @property
    def predicted_timeline(self) -> Timeline:
        """Where the time was predicted to go."""
        return self.look()[0]

    @property
    def measured_timeline(self) -> Timeline:
        """Where the time of one more, traced call went."""
        return self.look()[1]


def notes(*found: str | None) -> tuple[str, ...]:
    """Those that there are."""
    return tuple(note for note in found if note)


def promise(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Bound, gap and certificate of the step that repeats: one generated token, or the pass."""
    for prediction in summary["predictions"]:
        if prediction["entry"] in REPEATING:
            return {
                "bound_seconds": prediction["bound_seconds"],
                "gap": prediction["gap"],
                "certificate": prediction["certificate"],
                "memory": summary["memory"]["certificate"],
                "explanation": summary["explanation"],
            }
    return {"bound_seconds": None, "gap": None, "certificate": "no bound known"}
