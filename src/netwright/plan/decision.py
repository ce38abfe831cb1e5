"""Decision: what was chosen, from what, how, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Alternative:
    """Something that could have been chosen, with what it would cost in the decision's unit."""

    name: str
    value: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of a plan. `unit` is the unit of every `value` ("seconds", "bytes", "")."""

    subject: str
    chosen: str
    method: str
    alternatives: tuple[Alternative, ...] = ()
    value: float | None = None
    bound: float | None = None
    unit: str = ""
    why: str = ""
