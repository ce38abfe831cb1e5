"""Sizes that may depend on symbols: `n_past + n_tokens`, `64`, `2 * n_tokens`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

from netwright.errors import GraphError


@final
@dataclass(frozen=True, slots=True)
class Affine:
    """`constant + sum(coefficient * symbol)`; symbols are kept in sorted order, no zero terms.

    Build it with `symbol("n_tokens")` and arithmetic; a result without symbols is a plain int.
    """

    constant: int
    terms: tuple[tuple[str, int], ...]

    def __add__(self, other: Extent) -> Extent:
        return _combine(self, other, 1)

    def __radd__(self, other: int) -> Extent:
        return _combine(self, other, 1)

    def __sub__(self, other: Extent) -> Extent:
        return _combine(self, other, -1)

    def __rsub__(self, other: int) -> Extent:
        return _combine(self * -1, other, 1)

    def __mul__(self, factor: int) -> Extent:
        return affine(self.constant * factor, {s: c * factor for s, c in self.terms})

    __rmul__ = __mul__

    def __str__(self) -> str:
        parts = [s if c == 1 else f"{c}*{s}" for s, c in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


Extent: TypeAlias = int | Affine


def affine(constant: int, terms: Mapping[str, int]) -> Extent:
    """The normal form: sorted, no zero coefficients, an int when no symbol is left."""
    kept = tuple(sorted((s, c) for s, c in terms.items() if c))
    return Affine(constant, kept) if kept else constant


def symbol(name: str) -> Extent:
    """The extent that is just this symbol."""
    return affine(0, {name: 1})


def _combine(a: Extent, b: Extent, sign: int) -> Extent:
    terms = dict(a.terms) if isinstance(a, Affine) else {}
    constant = a.constant if isinstance(a, Affine) else a
    if isinstance(b, Affine):
        for s, c in b.terms:
            terms[s] = terms.get(s, 0) + sign * c
        return affine(constant + sign * b.constant, terms)
    return affine(constant + sign * b, terms)


def resolve(extent: Extent, symbols: Mapping[str, int]) -> int:
    """The number of this extent once every symbol has a value.

    Raises:
        KeyError: a symbol has no value.
    """
    if isinstance(extent, int):
        return extent
    return extent.constant + sum(c * symbols[s] for s, c in extent.terms)


def upper(extent: Extent, low: Mapping[str, int], high: Mapping[str, int]) -> int:
    """The largest value over the box `low <= symbol <= high`."""
    if isinstance(extent, int):
        return extent
    return extent.constant + sum(c * (high[s] if c > 0 else low[s]) for s, c in extent.terms)


def product(extents: tuple[Extent, ...]) -> Extent:
    """The product; at most one factor may hold symbols."""
    constant, result = 1, None
    for e in extents:
        if isinstance(e, int):
            constant *= e
        elif result is None:
            result = e
        else:
            raise GraphError(f"the product of {result} and {e} is not affine; bind the symbols")
    return constant if result is None else result * constant
