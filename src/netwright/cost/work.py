"""Work: what one task asks of a machine, before any clock: operations and bytes by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, final

from netwright.cost.storage import broadcast_bytes
from netwright.graph.extent import Extent, resolve


@final
class TrafficKind(Enum):
    """Why bytes move: this decides which memory they come from."""

    WEIGHTS = "weights"
    ACTIVATIONS = "activations"
    CACHE = "cache"  # keys and values, and states: kept from pass to pass


@final
@dataclass(frozen=True, slots=True)
class Traffic:
    """Distinct bytes of one kind that a task reads and writes, each counted once."""

    kind: TrafficKind
    read_bytes: int
    written_bytes: int = 0


@final
@dataclass(frozen=True, slots=True)
class Work:
    """One task's demand.

    `variant` and `sizes` are the row key and coordinates of measured tables (cost/formulas says
    which sizes each opcode has). `operations` counts multiply and add separately by arithmetic
    class; sizes that are expected rather than known need not be whole. `working_set_bytes` is
    everything that the task touches; `drawn_bytes` what its weights are drawn from where it reads
    others at every call (rows of whoever fired), else 0.
    """

    opcode: str
    variant: str
    sizes: tuple[float, ...]
    operations: tuple[tuple[str, float], ...]
    traffic: tuple[Traffic, ...]
    working_set_bytes: int
    launches: int = 1
    synchronisations: int = 1
    drawn_bytes: int = 0

    @property
    def whole_sizes(self) -> tuple[int, ...]:
        """The sizes, where all of them are known."""
        return tuple(int(size) for size in self.sizes)

    @property
    def num_operations(self) -> float:
        """Operations of all classes together."""
        return sum(count for _, count in self.operations)

    @property
    def num_bytes(self) -> int:
        """Bytes read and written of all kinds together."""
        return sum(t.read_bytes + t.written_bytes for t in self.traffic)


class OperandLike(Protocol):
    """What `work` needs of an operand; `program.Operand` is one."""

    @property
    def format(self) -> str: ...

    @property
    def shape(self) -> tuple[Extent, ...]: ...

    @property
    def stride_bytes(self) -> tuple[Extent, ...]: ...


@final
@dataclass(frozen=True, slots=True)
class Shape:
    """An operand by format and shape alone: dense, nothing broadcast."""

    format: str
    shape: tuple[Extent, ...]
    stride_bytes: tuple[Extent, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class View:
    """An operand with its symbols resolved. `num_bytes` counts a broadcast element once."""

    format: str
    shape: tuple[int, ...]
    stride_bytes: tuple[int, ...]
    elements: int
    num_bytes: int


def view(operand: OperandLike, symbols: Mapping[str, int]) -> View:
    """The operand once every symbol has a value.

    Raises:
        KeyError: a symbol has no value.
        UnsupportedError: the format is none that an operand may have.
    """
    shape = tuple(resolve(e, symbols) for e in operand.shape)
    strides = tuple(resolve(e, symbols) for e in operand.stride_bytes)
    elements = 1
    for size in shape:
        elements *= size
    return View(
        operand.format, shape, strides, elements, broadcast_bytes(operand.format, shape, strides)
    )


def views(
    operands: Sequence[OperandLike | None], symbols: Mapping[str, int]
) -> tuple[View | None, ...]:
    """Every operand resolved; an absent one stays None."""
    return tuple(None if o is None else view(o, symbols) for o in operands)
