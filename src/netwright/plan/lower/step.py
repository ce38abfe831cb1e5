"""Steps over views of buffers: tasks that have no addresses yet; and offers to choose one from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NewType, TypeAlias, final

from netwright.errors import PlanError, UnsupportedError
from netwright.graph.extent import Affine, Extent
from netwright.program.program import ArenaKind

BufferId = NewType("BufferId", int)

ALIGNMENT_BYTES = 64

ITEM_BYTES: Mapping[str, int] = {
    "fp64": 8, "fp32": 4, "fp16": 2, "bf16": 2, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2,
    "int32": 4, "int64": 8, "bool": 1, "bytes": 1,
}  # fmt: skip


def bytes_of(format_name: str) -> int:
    """Bytes of an element.

    Raises:
        UnsupportedError: no kernel reads or writes single elements of the format.
    """
    if format_name not in ITEM_BYTES:
        plain = ", ".join(name for name in ITEM_BYTES if name != "bytes")
        raise UnsupportedError(f"no kernel takes {format_name} here; cast it to one of {plain}")
    return ITEM_BYTES[format_name]


@final
@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory that a step writes or a file holds; scratch ones get their address later."""

    kind: ArenaKind
    size_bytes: int
    name: str
    file: Path | None = None
    offset_bytes: int = 0  # inside the file or the constants


@final
@dataclass(frozen=True, slots=True)
class View:
    """A strided look at a buffer, as `Operand` has it."""

    buffer: BufferId
    offset_bytes: Extent
    format: str
    shape: tuple[Extent, ...]
    stride_bytes: tuple[Extent, ...]

    @property
    def item_bytes(self) -> int:
        return bytes_of(self.format)

    @property
    def contiguous(self) -> bool:
        """Row-major without gaps (dims of size 1 do not count)."""
        expected: Extent = self.item_bytes
        for size, stride in zip(reversed(self.shape), reversed(self.stride_bytes), strict=True):
            if size != 1 and stride != expected:
                return False
            expected = times(expected, size)
        return True


Parameter: TypeAlias = Extent | float


@final
@dataclass(frozen=True, slots=True)
class Step:
    """A task before it has addresses. `num_written` of its operands come first and are written."""

    opcode: str
    operands: tuple[View | None, ...]
    parameters: tuple[Parameter, ...]
    num_written: int
    parts: int
    source: str


@final
@dataclass(frozen=True, slots=True)
class Weight:
    """A weight in the form that one kernel reads: how it will look, and the making of it."""

    seen: View
    size_bytes: int
    take: Callable[[], View]


@final
@dataclass(frozen=True, slots=True)
class Recoded:
    """The input of a product in a form that a step before it makes, once for all its readers."""

    step: Step
    readers: int
    take: Callable[[], View]


@final
@dataclass(frozen=True, slots=True)
class Offer:
    """One way to compute an operator: a step, the weight that it reads, and which operand that is.

    Products read their weight second: operand 2, after what they write and their input, operand 1,
    which may have to be recoded first.
    """

    name: str
    step: Step
    weight: Weight
    place: int = 2
    recoded: Recoded | None = None


Pick: TypeAlias = Callable[[Sequence[Offer]], int]


def first_offered(offers: Sequence[Offer]) -> int:
    """The offer that needs no weighing: lowerings offer the plain kernel first."""
    return 0


def times(a: Extent, b: Extent) -> Extent:
    """The product of two extents of which at most one has symbols."""
    if isinstance(a, Affine):
        if isinstance(b, Affine):
            raise PlanError(f"the size {a} times {b} is not affine in the symbols")
        return a * b
    return b * a if isinstance(b, Affine) else a * b


def row_major(shape: Sequence[Extent], item_bytes: int) -> tuple[Extent, ...]:
    """Strides of a contiguous view."""
    strides: list[Extent] = []
    step: Extent = item_bytes
    for size in reversed(shape):
        strides.append(step)
        step = times(step, size)
    return tuple(reversed(strides))


def ordered(shape: Sequence[Extent], order: Sequence[int], item_bytes: int) -> tuple[Extent, ...]:
    """Strides when the dims lie in memory in this order, outermost first."""
    physical = row_major([shape[d] for d in order], item_bytes)
    strides: list[Extent] = [0] * len(shape)
    for d, stride in zip(order, physical, strict=True):
        strides[d] = stride
    return tuple(strides)
