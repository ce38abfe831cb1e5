"""A decoder-only transformer as data: what every frontend for one fills in."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, final

from netwright.graph.format import Format
from netwright.graph.ops.function import Function
from netwright.graph.tensor import Data

MOST_PERIOD: Final = 16  # layers in a pattern that is looked for


@final
@dataclass(frozen=True, slots=True)
class Stored:
    """A weight where it lies: row-major shape, format, bytes."""

    name: str
    shape: tuple[int, ...]
    format: Format
    data: Data


@final
@dataclass(frozen=True, slots=True)
class Product:
    """A matrix [outputs, inputs] and its bias [outputs] or None."""

    weight: Stored
    bias: Stored | None


@final
@dataclass(frozen=True, slots=True)
class Turning:
    """Rotary embedding of one layer: the base, and divisors of the angles [rotary/2] or None."""

    base: float
    factors: Stored | None


@final
@dataclass(frozen=True, slots=True)
class DecoderLayer:
    """One layer. A norm that is None is not there; `window` None sees all earlier tokens."""

    attention_norm: Stored
    query: Product
    key: Product
    value: Product
    query_norm: Stored | None
    key_norm: Stored | None
    attention_output: Product
    attention_post_norm: Stored | None
    feed_norm: Stored
    gate: Product
    up: Product
    down: Product
    feed_post_norm: Stored | None
    turning: Turning
    window: int | None

    def likeness(self) -> tuple[object, ...]:
        """Equal for two layers that can be repetitions of one block."""
        return tuple(_likeness(getattr(self, f.name)) for f in fields(self))


@final
@dataclass(frozen=True, slots=True)
class DecoderModel:
    """The whole model. `output` None reuses the embedding; scales and caps of 0 are not applied.

    `width` is the model's; `key_width` and `value_width` are those of one head.
    """

    name: str
    context: int
    width: int
    heads: int
    key_heads: int
    key_width: int
    value_width: int
    rotary: int
    interleaved: bool
    epsilon: float
    function: Function
    attention_scale: float
    attention_softcap: float
    final_softcap: float
    embedding: Stored
    embedding_scale: float
    output_norm: Stored
    output: Product | None
    layers: tuple[DecoderLayer, ...]
    metadata: tuple[tuple[str, str], ...]


def _likeness(part: object) -> object:
    if isinstance(part, Stored):
        return (part.shape, part.format)
    if isinstance(part, Product):
        return (_likeness(part.weight), _likeness(part.bias))
    if isinstance(part, Turning):
        return (part.base, _likeness(part.factors))
    return part


@final
@dataclass(frozen=True, slots=True)
class Run:
    """`repeat` times the same `period` layers, from layer `first` on."""

    first: int
    period: int
    repeat: int


def runs(layers: tuple[DecoderLayer, ...]) -> tuple[Run, ...]:
    """Folds layers that are alike: at each place the period whose repetitions cover the most.

    Of two that cover the same, the shorter period is taken.
    """
    likes = [layer.likeness() for layer in layers]
    found: list[Run] = []
    place = 0
    while place < len(likes):
        best = Run(place, 1, 1)
        for period in range(1, min(MOST_PERIOD, (len(likes) - place) // 2) + 1):
            repeat = _repeats(likes, place, period)
            if repeat > 1 and period * repeat > best.period * best.repeat:
                best = Run(place, period, repeat)
        found.append(best)
        place += best.period * best.repeat
    return tuple(found)


def _repeats(likes: list[tuple[object, ...]], first: int, period: int) -> int:
    pattern = likes[first : first + period]
    repeat = 1
    while likes[first + repeat * period :][:period] == pattern:
        repeat += 1
    return repeat
