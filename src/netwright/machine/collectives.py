"""CollectiveMethod: one way in which a communication library runs a collective over a link."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import final


@final
class Form(StrEnum):
    """How members pass data on."""

    RING = "ring"  # each to the next, n - 1 turns a pass
    TREE = "tree"  # a chain inside a node, a tree between nodes, up and down


@final
@dataclass(frozen=True, slots=True)
class CollectiveMethod:
    """`share` of the link's bandwidth that data has, seconds before the first byte, and a hop.

    Where a collective crosses several links, those methods serve that all of them name.
    """

    name: str
    form: Form
    share: float
    start_seconds: float
    hop_seconds: float
