"""Edits of a JSON tree: what stays JSON gets past the parser, to the code that reads the values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from .mutate import mutate

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 63, 2**31, 2**63, 2**64, -(2**63) - 1, 1e308, -0.0, 0.5,
    "", "a", "\u0120", "\ud83d\ude00", "x" * 1000, "../../etc/passwd", "(a+)+$", "[", [], {}, [[]],
    [None], {"": None}, {"type": "Sequence"}, {"type": "ByteLevel"},
)  # fmt: skip


def mutate_json(seed: bytes, donors: Sequence[bytes], random: Random) -> bytes:
    """Half of the cases edit bytes, half one to three values of the tree."""
    if random.random() < 0.5:
        return mutate(seed, donors, random)
    tree = [json.loads(seed)]
    for _ in range(random.choice((1, 1, 2, 3))):
        places = _places(tree)
        if not places:
            break
        holder, key = random.choice(places)
        random.choice((_replace, _replace, _nudge, _drop, _double, _swap))(holder, key, random)
    return json.dumps(tree[0] if tree else None).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) of the tree."""
    if isinstance(value, dict):
        keys: list[Any] = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    else:
        return []
    return [(value, k) for k in keys] + [place for k in keys for place in _places(value[k])]


def _replace(holder: Any, key: Any, random: Random) -> None:
    holder[key] = random.choice(_VALUES)


def _nudge(holder: Any, key: Any, random: Random) -> None:
    value = holder[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        _replace(holder, key, random)
    else:
        holder[key] = value + random.choice((-1, 1, 7, -value, value))


def _drop(holder: Any, key: Any, random: Random) -> None:
    del holder[key]


def _double(holder: Any, key: Any, random: Random) -> None:
    if isinstance(holder, dict):
        holder[f"{key}{random.choice(('', '_', '2'))}"] = holder[key]
    else:
        holder.insert(key, holder[key])


def _swap(holder: Any, key: Any, random: Random) -> None:
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    other = random.choice(keys)
    holder[key], holder[other] = holder[other], holder[key]
