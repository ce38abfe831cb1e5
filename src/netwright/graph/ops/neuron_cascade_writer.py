"""Einsums of a neuron written one after the other: values of every step, and values of a neuron."""

from __future__ import annotations

from typing import TypeAlias

from netwright.graph.extent import Extent
from netwright.graph.op import Access, Einsum, Projection
from netwright.graph.ops.cascade import Index, access

BEFORE = Projection((("s", 1),), -1)
Value: TypeAlias = float | Access  # of all neurons, or of each


class Writer:
    """Einsums in order; `new` names one more intermediate."""

    def __init__(self, shape: tuple[Extent, ...]) -> None:
        self.over = (("s", shape[0]), ("b", shape[1]), ("n", shape[2]))
        self.einsums: list[Einsum] = []
        self.used = 0

    def new(self) -> int:
        """One more intermediate."""
        self.used += 1
        return -self.used

    def value(self, name: int, step: Index = "s") -> Access:
        """A value of every step."""
        return access(name, (step, "b", "n"))

    def write(
        self, to: int, of: str, *sources: Access, parameters: tuple[float, ...] = ()
    ) -> Access:
        """Write `to` = of(sources); a source of the step before makes the einsum carry `s`."""
        carry = ("s",) if any(BEFORE in a.projections for a in sources) else ()
        target = self.value(to)
        self.einsums.append(
            Einsum(self.over, sources, target, of, carry=carry, parameters=parameters)
        )
        return target

    def scaled(self, source: Access, factor: Value, added: Value = 0.0) -> Access:
        """`factor` source + `added`."""
        plain = factor if isinstance(factor, float | int) else 1.0
        offset = added if isinstance(added, float | int) else 0.0
        if isinstance(factor, Access):
            source = self.made("mul", source, factor)
        if isinstance(factor, float | int) or offset:
            source = self.write(self.new(), "scale", source, parameters=(plain, offset))
        return self.made("add", source, added) if isinstance(added, Access) else source

    def made(self, of: str, *sources: Access) -> Access:
        """A new intermediate = of(sources)."""
        return self.write(self.new(), of, *sources)

    def of_neuron(self, of: str, *sources: Access, parameters: tuple[float, ...] = ()) -> Access:
        """As `made`, of every neuron once."""
        target = access(self.new(), ("n",))
        self.einsums.append(Einsum(self.over[2:], sources, target, of, parameters=parameters))
        return target
