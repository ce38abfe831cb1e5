"""How far the machine is from its profile now: points of the probe's own grid, timed again.

A machine that is shared changes its speed from minute to minute. These factors say by how much,
from kernels of the probe alone, so that a prediction can be judged apart from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import final

from netwright.machine.machine import Machine
from netwright.machine.probe.points import KernelPoint
from netwright.machine.probe.points_language import language_points
from netwright.machine.probe.points_vision import vision_points
from netwright.machine.probe.timing import LEAST_COLD_BYTES, Timer
from netwright.machine.table import Regime

# (opcode, variant, sizes, regime): weights from the outermost memory; arithmetic in the caches.
STREAMED = ("matmul_quant", "q8_0", (1, 1024, 4096), Regime.COLD)
COMPUTED = ("gemm_packed", "fp32", (64, 512, 512), Regime.CACHED)


@final
@dataclass(slots=True)
class Drift:
    """Collects samples of both points; `factors` are seconds now over seconds in the profile."""

    machine: Machine
    timer: Timer = field(default_factory=lambda: Timer(2 * LEAST_COLD_BYTES))
    streamed: list[float] = field(default_factory=list[float])
    computed: list[float] = field(default_factory=list[float])

    def look(self) -> None:
        """A few calls of each point, about a millisecond."""
        for key, kept in ((STREAMED, self.streamed), (COMPUTED, self.computed)):
            samples = self.timer.time(CHECKED[key], 0.0)
            profiled = self._profile(key)
            if samples and profiled is not None:
                kept.append(median(seconds for seconds, _ in samples) / profiled)

    @property
    def factors(self) -> tuple[float, float]:
        """(of what streams from the outermost memory, of what computes); 1 when not known."""
        return median(self.streamed or [1.0]), median(self.computed or [1.0])

    def _profile(self, key: tuple[str, str, tuple[int, ...], Regime]) -> float | None:
        opcode, variant, sizes, regime = key
        for table in (t for unit in self.machine.units for t in unit.tables):
            if (table.opcode, table.variant, table.regime) == (opcode, variant, regime):
                for point in table.points:
                    if point.sizes == sizes:
                        return point.seconds
        return None


CHECKED: dict[tuple[str, str, tuple[int, ...], Regime], KernelPoint] = {
    (p.opcode, p.variant, p.sizes, p.regime): p for p in (*language_points(), *vision_points())
}
