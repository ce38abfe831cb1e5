"""(Operator shard, unit) → seconds, joules and bytes, by the unit's declared model."""

from netwright.cost.cost import COLD, Cost, Setting
from netwright.cost.estimate import best_unit, estimate, lower_bound
from netwright.cost.formulas import FORMULAS, work
from netwright.cost.work import Shape, Traffic, TrafficKind, Work

__all__ = [
    "COLD",
    "FORMULAS",
    "Cost",
    "Setting",
    "Shape",
    "Traffic",
    "TrafficKind",
    "Work",
    "best_unit",
    "estimate",
    "lower_bound",
    "work",
]
