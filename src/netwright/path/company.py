"""Company: who else used the machine while a run was measured, for whoever compares predictions.

Two things make a run longer than on the machine left alone: other programs on its processors, and
other guests on the same silicon, whom the system does not see. The latter are felt by the probe's
own gauge (native/probe/measure.hpp), looked at between the calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, final

from netwright.native import core
from netwright.path import later
from netwright.run.others import Taken, others_share, remark_on, taken

if TYPE_CHECKING:
    from netwright.machine.machine import Machine

WORTH_SAYING = 1.1


@final
@dataclass(slots=True)
class Company:
    """Made when the run starts; `look` between its calls, `leave` at its end, then `notes`."""

    before: Taken | None = field(default_factory=taken)
    gauge_seconds: list[float] = field(default_factory=list[float])
    share: float | None = None  # of the processors, that other programs took

    def look(self) -> None:
        """Some 10 microseconds of a fixed piece of work."""
        self.gauge_seconds.append(core.reference_seconds(core.has_avx2()))

    def leave(self) -> None:
        """The run is over."""
        self.share = others_share(self.before, taken())

    def notes(self, here: Machine) -> tuple[str, ...]:
        """What made this run longer than the prediction, as far as it was felt."""
        found = [remark_on(self.share), self._slowed(here)]
        return tuple(note for note in found if note)

    def _slowed(self, here: Machine) -> str | None:
        usual = later.gauges_of(here)
        if usual is None or not self.gauge_seconds:
            return None
        slowdown = median(self.gauge_seconds) / usual.reference_seconds
        if slowdown < WORTH_SAYING:
            return None
        return (
            f"a fixed piece of work took {slowdown:.2f} times as long meanwhile as when this "
            "machine was probed: others share its silicon"
        )
