"""Edits of a JSON tree: what stays JSON gets past the parser, to the code that reads the values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
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
    return json.dumps(edit_tree(json.loads(seed), random, _VALUES)).encode()


def mutate_safetensors(seed: bytes, donors: Sequence[bytes], random: Random) -> bytes:
    """Likewise, in the JSON header that stands before the tensors' bytes."""
    if random.random() < 0.5:
        return mutate(seed, donors, random)
    size = int.from_bytes(seed[:8], "little")
    header = json.dumps(edit_tree(json.loads(seed[8 : 8 + size]), random, _VALUES)).encode()
    return len(header).to_bytes(8, "little") + header + seed[8 + size :]


def edit_tree(tree: Any, random: Random, values: Sequence[Any] = _VALUES) -> Any:
    """The tree with one to three edits; it may be changed in place."""
    holder = [tree]
    for _ in range(random.choice((1, 1, 2, 3))):
        places = _places(holder)
        if not places:
            break
        edit = random.choice((_replace, _replace, _nudge, _nudge, _drop, _double, _swap, _copy))
        edit(places, random.choice(places), random, values)
    return holder[0] if holder else None


Place = tuple[Any, Any]


def _places(value: Any) -> list[Place]:
    """Every (container, key or index) of the tree."""
    if isinstance(value, dict):
        keys: list[Any] = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    else:
        return []
    return [(value, k) for k in keys] + [place for k in keys for place in _places(value[k])]


def _replace(_: list[Place], place: Place, random: Random, values: Sequence[Any]) -> None:
    holder, key = place
    holder[key] = deepcopy(random.choice(values))


def _nudge(places: list[Place], place: Place, random: Random, values: Sequence[Any]) -> None:
    holder, key = place
    value = holder[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        _replace(places, place, random, values)
    else:
        holder[key] = random.choice(
            (value - 1, value + 1, value + 7, -value, value * 2, 2 * value + 1)
        )


def _drop(_: list[Place], place: Place, random: Random, values: Sequence[Any]) -> None:
    holder, key = place
    del holder[key]


def _double(_: list[Place], place: Place, random: Random, values: Sequence[Any]) -> None:
    holder, key = place
    if isinstance(holder, dict):
        holder[f"{key}{random.choice(('', '_', '2'))}"] = deepcopy(holder[key])
    else:
        holder.insert(key, deepcopy(holder[key]))


def _swap(_: list[Place], place: Place, random: Random, values: Sequence[Any]) -> None:
    holder, key = place
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    other = random.choice(keys)
    holder[key], holder[other] = holder[other], holder[key]


def _copy(places: list[Place], place: Place, random: Random, values: Sequence[Any]) -> None:
    """A value from elsewhere in the tree."""
    holder, key = place
    other, other_key = random.choice(places)
    holder[key] = deepcopy(other[other_key])
