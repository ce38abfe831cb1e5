"""Tensor: named dims, a format, a density, a role, and where its bytes are."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NewType, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.extent import Extent
from netwright.graph.format import Format

TensorId = NewType("TensorId", int)


@final
class Role(Enum):
    """What a tensor is for: this decides how long it lives and who may write it."""

    INPUT = "input"
    WEIGHT = "weight"
    ACTIVATION = "activation"
    STATE = "state"  # carried from one step to the next, of fixed size (LSTM, SSM, membrane)
    CACHE = "cache"  # carried, and growing with the position (keys and values)
    GRADIENT = "gradient"
    OPTIMISER = "optimiser"


@final
@dataclass(frozen=True, slots=True)
class Dim:
    """One named dimension. The name is for people and einsums; size decides."""

    name: str
    size: Extent


@final
@dataclass(frozen=True, slots=True)
class FileData:
    """Bytes of a weight as they lie in a file, in the tensor's own format, row-major."""

    path: Path
    offset_bytes: int
    size_bytes: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class ArrayData:
    """Bytes of a weight in memory (contiguous uint8), in the tensor's own format, row-major."""

    raw: NDArray[np.uint8]


Data: TypeAlias = FileData | ArrayData


@final
@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of the graph.

    `data` is empty for everything that is computed; a weight has one entry, or one for each
    repetition when it stands inside a `Block` (then `dims` are those of one repetition).
    """

    name: str
    dims: tuple[Dim, ...]
    format: Format
    role: Role
    density: float = 1.0
    data: tuple[Data, ...] = field(default=(), compare=False)

    @property
    def shape(self) -> tuple[Extent, ...]:
        return tuple(d.size for d in self.dims)
