"""Slots: where a worker's activations lie, from F to B and from F to W.

All activations of a worker are of one size, cut in what B needs and what W needs, so each half
takes the lowest free slot of its kind: as many slots as are ever alive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import final

from netwright.plan.pipeline.schedule import BACKWARD, FORWARD, INPUT_GRADIENT, Pass
from netwright.program.program import Operand

_Key = tuple[int, int]  # chunk, micro-batch


@final
@dataclass(frozen=True, slots=True)
class Held:
    """Slots of one worker's arena: first those that B frees, then those that W frees.

    `working_bytes`: behind them, what B makes anew where the forward pass is done again.
    """

    part_bytes: tuple[int, int]
    num_slots: tuple[int, int]
    slots: dict[_Key, tuple[int, int]]
    working_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        """Of the arena."""
        return self._slots_bytes + self.working_bytes

    @property
    def _slots_bytes(self) -> int:
        return sum(n * b for n, b in zip(self.num_slots, self.part_bytes, strict=True))

    def operands(self, step: Pass, arena: int) -> tuple[Operand | None, ...]:
        """Of F, both halves written; of B and W, what is made anew and what they read."""
        first, second = self.slots[step.chunk, step.microbatch]
        base = self.num_slots[0] * self.part_bytes[0]
        until_input = self._view(arena, first * self.part_bytes[0], self.part_bytes[0])
        until_weight = self._view(arena, base + second * self.part_bytes[1], self.part_bytes[1])
        if step.kind is FORWARD:
            return until_input, until_weight
        if step.kind in (INPUT_GRADIENT, BACKWARD):
            anew = self._view(arena, self._slots_bytes, self.working_bytes)
            return anew, until_input, until_weight
        return None, None, until_weight

    def _view(self, arena: int, offset_bytes: int, size: int) -> Operand | None:
        return Operand(arena, offset_bytes, "bytes", (size,), (1,)) if size else None


def hold(order: Sequence[Pass], activation_bytes: int, kept: float, working_bytes: int = 0) -> Held:
    """The slots of one worker's order. B frees all but the share `kept`, W the rest."""
    until_weight = round(activation_bytes * kept)
    free: tuple[list[int], list[int]] = ([], [])
    count = [0, 0]
    slots: dict[_Key, tuple[int, int]] = {}
    for step in order:
        key = (step.chunk, step.microbatch)
        if step.kind is FORWARD:
            taken: list[int] = []
            for part in (0, 1):
                if not free[part]:
                    heappush(free[part], count[part])
                    count[part] += 1
                taken.append(heappop(free[part]))
            slots[key] = (taken[0], taken[1])
            continue
        if step.kind in (INPUT_GRADIENT, BACKWARD):
            heappush(free[0], slots[key][0])
        if step.kind is not INPUT_GRADIENT:
            heappush(free[1], slots[key][1])
    parts = (activation_bytes - until_weight, until_weight)
    return Held(parts, (count[0], count[1]), slots, working_bytes)
