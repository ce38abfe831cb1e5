"""Edits of a program file's description and tables; lengths and checksum are set right again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random
from typing import Any

import numpy as np

from netwright.program.encode import FORMAT_NAMES, OPCODE_NAMES
from netwright.program.file import ALIGNMENT_BYTES, HEADER, ROWS

from .mutate import mutate
from .mutate_json import edit_tree

_NUMBERS = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 31, 32, 33, 63, 64, 65, 127, 255, 256, 1000, 4095, 4096,
    65535, 65536,
    2**20, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**46, 2**61, 2**62, 2**63 - 1,
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 3, 4, 5, 8, 64, 65536, 2**31, 2**31 + 1, 2**32, 2**40, 2**63, 2**64,
    10**30, -(2**63), 0.5,
    "", "rows", "fp32", "q4_1", "bytes", "nothing", [], {}, [0], ["rows", 0, 9], [1, {"rows": 4}],
    [0, {"none": 1}],
)  # fmt: skip

Tables = dict[str, Any]


@lru_cache(maxsize=16)
def _parsed(seed: bytes) -> tuple[str, Tables, bytes]:
    start = HEADER.itemsize
    size = int(np.frombuffer(seed[:start], HEADER)[0]["meta_bytes"])
    text = seed[start : start + size].decode()
    at, tables = start + size, Tables()
    for name, row in ROWS.items():
        end = at + json.loads(text)["rows"][name] * row.itemsize
        tables[name] = np.frombuffer(seed[at:end], row)
        at = end
    return text, tables, seed[-(-at // ALIGNMENT_BYTES) * ALIGNMENT_BYTES :]


def mutate_program(seed: bytes, donors: Sequence[bytes], random: Random) -> bytes:
    """A quarter of the cases edits bytes, the others one to four values of what they mean."""
    if random.random() < 0.25:
        return mutate(seed, donors, random)
    text, parsed, body = _parsed(seed)
    meta = json.loads(text)
    tables = {name: table.copy() for name, table in parsed.items()}
    for _ in range(random.choice((1, 1, 2, 4))):
        if random.random() < 0.2:
            meta = edit_tree(meta, random, _VALUES)
        else:
            random.choice(_EDITS)(tables, random)
    return _written(meta, tables, body, seed)


def _written(meta: Any, tables: Tables, body: bytes, seed: bytes) -> bytes:
    """The header keeps the seed's digest: `repair` sets it."""
    if isinstance(meta, dict) and isinstance(meta.get("rows"), dict):
        meta["rows"] |= {name: len(table) for name, table in tables.items() if name in meta["rows"]}
    description = json.dumps(meta, separators=(",", ":")).encode()
    description += b" " * (-(HEADER.itemsize + len(description)) % 8)
    header = np.frombuffer(seed[: HEADER.itemsize], HEADER).copy()
    header["meta_bytes"] = len(description)
    head = header.tobytes() + description + b"".join(tables[name].tobytes() for name in ROWS)
    return head + bytes(-len(head) % ALIGNMENT_BYTES) + body


def _near(value: int, random: Random) -> int:
    return random.choice(
        (
            value - 1,
            value + 1,
            value * 2,
            value // 2,
            -value,
            value + 4,
            value - 4,
            random.choice(_NUMBERS),
        )
    )


def _fit(value: int, dtype: np.dtype[Any]) -> int:
    bits = 8 * dtype.itemsize
    value %= 1 << bits
    return value - (1 << bits) if dtype.kind == "i" and value >= 1 << bits - 1 else value


def _word(tables: Tables, random: Random) -> None:
    """An offset, size, stride or parameter."""
    words = tables["words"]
    if words.size:
        at = random.randrange(words.size)
        other = int(words[random.randrange(words.size)])
        new = other if random.random() < 0.3 else _near(int(words[at]), random)
        words[at] = _fit(new, words.dtype)


def _real(tables: Tables, random: Random) -> None:
    """The bits of a double, wherever they land."""
    words = tables["words"]
    if words.size:
        value = random.choice((0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, np.inf, -np.inf, np.nan, 0.5))
        words[random.randrange(words.size)] = np.float64(value).view(np.int64)


def _patch(tables: Tables, random: Random) -> None:
    """A word that symbols change: another coefficient, another word, one more patch, or none."""
    patches = tables["patches"]
    if patches.size == 0 or random.random() < 0.4:
        word = random.randrange(max(1, tables["words"].size))
        new = np.array(
            [(word, random.choice((0, 0, 1, 2)), random.choice((1, -1, 4, 64, 2**45)))],
            patches.dtype,
        )
        joined = np.concatenate([patches, new])
        tables["patches"] = joined[np.lexsort((joined["symbol"], joined["word"]))]
        return
    at = random.randrange(patches.size)
    field = random.choice(("coefficient", "coefficient", "symbol", "word"))
    patches[field][at] = _fit(_near(int(patches[field][at]), random), patches.dtype[field])


def _operand(tables: Tables, random: Random) -> None:
    """Another arena, format, rank or place; or two operands change places."""
    operands = tables["operands"]
    if operands.size == 0:
        return
    a, b = random.randrange(operands.size), random.randrange(operands.size)
    field = random.choice(("arena", "format", "rank", "first_word", "all"))
    if field == "all":
        operands[[a, b]] = operands[[b, a]]
    elif field == "arena":
        operands[field][a] = random.choice((0, 1, 2, 3, 4, 65535, int(operands[field][b])))
    elif field == "format":
        operands[field][a] = random.choice((*FORMAT_NAMES, 10, 255))
    elif field == "rank":
        operands[field][a] = random.choice((0, 1, 2, 3, 4, 5, 6, 7))
    else:
        operands[field][a] = _fit(_near(int(operands[field][a]), random), operands.dtype[field])


def _task(tables: Tables, random: Random) -> None:
    """One field of a task; or two tasks change places, or one is lost."""
    tasks = tables["tasks"]
    if tasks.size == 0:
        return
    a, b = random.randrange(tasks.size), random.randrange(tasks.size)
    names = [name for name in tasks.dtype.names if name != "reserved"]
    field = random.choice((*names, "opcode", "parts", "swap", "copy"))
    if field == "swap":
        tasks[[a, b]] = tasks[[b, a]]
    elif field == "copy":
        tasks[a] = tasks[b]
    elif field == "opcode":
        tasks[field][a] = random.choice((*OPCODE_NAMES, 0, 65535))
    elif field == "parts":
        tasks[field][a] = random.choice((0, 1, 2, 3, 7, 64, 1000, 65536, 65537))
    else:
        tasks[field][a] = _fit(_near(int(tasks[field][a]), random), tasks.dtype[field])


def _wait(tables: Tables, random: Random) -> None:
    waits = tables["waits"]
    if waits.size:
        waits[random.randrange(waits.size)] = _fit(_near(int(waits[0]), random), waits.dtype)


_EDITS: tuple[Callable[[Tables, Random], None], ...] = (
    _word, _word, _word, _real, _patch, _operand, _operand, _task, _task, _wait,
)  # fmt: skip
