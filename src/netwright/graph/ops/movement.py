"""Data movement: no arithmetic, so no einsum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.graph.op import OpKind
from netwright.graph.extent import Extent


@final
@dataclass(frozen=True, slots=True)
class Reshape(OpKind):
    """Row-major. Covers flatten, squeeze, unsqueeze. Input: x."""

    shape: tuple[Extent, ...]


@final
@dataclass(frozen=True, slots=True)
class Transpose(OpKind):
    """Input: x."""

    order: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class Slice(OpKind):
    """x[start:stop:step] of every dim, normalised (a negative step counts down; stop -1 is then before 0). Input: x."""

    starts: tuple[Extent, ...]
    stops: tuple[Extent, ...]
    steps: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class Concat(OpKind):
    """Inputs: any number."""

    axis: int


@final
@dataclass(frozen=True, slots=True)
class Pad(OpKind):
    """`mode` "constant", "reflect" or "edge". Input: x."""

    pads: tuple[tuple[int, int], ...]
    mode: str = "constant"
    value: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Expand(OpKind):
    """Broadcast to `shape`. Input: x."""

    shape: tuple[Extent, ...]


@final
@dataclass(frozen=True, slots=True)
class Tile(OpKind):
    """Input: x."""

    repeats: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class Gather(OpKind):
    """table[..., indices, ...] along `axis`. Inputs: table, indices. An embedding is axis 0."""

    axis: int = 0


@final
@dataclass(frozen=True, slots=True)
class GatherElements(OpKind):
    """Inputs: x, indices."""

    axis: int


@final
@dataclass(frozen=True, slots=True)
class GatherNd(OpKind):
    """Inputs: x, indices."""

    batch_dims: int = 0


@final
@dataclass(frozen=True, slots=True)
class ScatterNd(OpKind):
    """Inputs: x, indices, updates."""
