"""SpatialArray: a unit made of many small ones, with memories between them and each operand's path.

The axes are the array's own (rows, columns, cores); a memory serves some of them with one instance
and stands once for every member of the others. Flows are seen from a memory: `feed` reads towards
the array, `update` writes from it, `fill` writes from the next memory out, `drain` reads to it.
Source of this description: Mei et al., ZigZag, IEEE TC 70(8), 2021 (memories by operand, ports,
served dimensions); Andrulis et al., AccelForge (multicast and reuse by axis, optional levels).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

OPERANDS = ("inputs", "weights", "outputs")
FLOWS = ("feed", "update", "fill", "drain")
READS = frozenset({"feed", "drain"})

# What a loop is to a product of two operands, by what it indexes (never by its name).
DIM_CLASSES = (
    "units",  # weights and outputs: output channels
    "channels",  # inputs and weights alone in its index: summed
    "kernel",  # inputs and weights in a sliding window: summed
    "places",  # inputs and outputs: batch, rows, columns, tokens
    "groups",  # all three
)

# How seconds follow from traffic. windows: stalls by the window in which a port may update a
# memory, plus loading before and unloading after (ZigZag); overlapped: the busiest of the array
# and of every port (Timeloop, AccelForge).
TIMINGS = ("windows", "overlapped")

DATAFLOWS = ("weights", "inputs", "outputs")  # what stays in place in a systolic array


@final
@dataclass(frozen=True, slots=True)
class ArrayAxis:
    """`size` members side by side. `dims`: the classes of loops that may be unrolled over it.

    `reuse` names operands that must be the same for all members (none: any loop may be unrolled);
    without `multicast` each member is sent its own copy, and sends its own sums.
    """

    name: str
    size: int
    dims: tuple[str, ...] = DIM_CLASSES
    reuse: tuple[str, ...] = ()
    multicast: bool = True


@final
@dataclass(frozen=True, slots=True)
class Port:
    """A way into a memory: "read", "write" or "both"; `flows` as "operand.flow".

    `bits_per_cycle` None: no limit. While a port moves that is not `hidden`, the array waits.
    """

    kind: str
    bits_per_cycle: float | None
    flows: tuple[str, ...]
    hidden: bool = True


@final
@dataclass(frozen=True, slots=True)
class ArrayLevel:
    """One memory of the array and what it holds.

    `optional` operands may pass by it. Reads and writes are of whole pieces of `access_bits`, and
    energy is counted in words of `word_bits`. A level that `holds` keeps its last word at its pins,
    so the array reads it once for all cycles that it is used in.
    """

    memory: str
    operands: tuple[str, ...]
    serves: tuple[str, ...]
    ports: tuple[Port, ...]
    optional: tuple[str, ...] = ()
    access_bits: int = 8
    word_bits: int = 8
    holds: bool = False


@final
@dataclass(frozen=True, slots=True)
class SpatialArray:
    """The array of a unit. Levels innermost first; the last holds every operand.

    `sum_bits` is the width of a sum that is not finished. `reads_first_sum`: a memory that sums is
    read before its first addition too. `dataflow` and two axes (rows, columns) are what a systolic
    array needs.
    """

    clock_hertz: float
    axes: tuple[ArrayAxis, ...]
    levels: tuple[ArrayLevel, ...]
    timing: str = "overlapped"
    input_bits: int = 8
    weight_bits: int = 8
    sum_bits: int = 32
    output_bits: int = 8
    reads_first_sum: bool = False
    dataflow: str | None = None

    def levels_of(self, operand: str) -> tuple[int, ...]:
        """Indices of the levels that hold an operand, innermost first."""
        return tuple(i for i, level in enumerate(self.levels) if operand in level.operands)

    @property
    def size(self) -> int:
        """Multiply-accumulates a cycle."""
        total = 1
        for axis in self.axes:
            total *= axis.size
        return total
