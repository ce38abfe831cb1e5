"""Outcome: what a run gave, predicted and measured side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from numpy.typing import NDArray

from netwright.timeline.timeline import Timeline


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
    """A run: what came out, what was predicted, what was measured, and the plan's promise."""

    network: str
    machine: str
    predicted: Figures
    measured: Figures
    plan: Mapping[str, Any]
    predicted_timeline: Timeline
    measured_timeline: Timeline
    text: str | None = None
    outputs: Mapping[str, NDArray[Any]] | None = None
