"""Edits of a GGUF file's records: counts and lengths stay right, so that the values are read."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Any

from .mutate import mutate

_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "B",
    10: "Q",
    11: "q",
    12: "d",
}
_TENSOR_CODES = (0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 30, 34, 35, 39, 99)
_SIZES = (
    0,
    1,
    2,
    3,
    4,
    8,
    31,
    32,
    33,
    63,
    64,
    65,
    128,
    256,
    2**20,
    2**31,
    2**32,
    2**40,
    2**62,
    2**63,
    2**64 - 1,
)
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e-5, 1e5, 3e38, float("inf"), -float("inf"), float("nan"))
_TEXTS = (
    "", " ", "a", "\u2581", "\u0120", "<s>", "<0x0A>", "<0xZZ>", "<0x>", "a b", "ab", " a", "a ",
    "\0", "llama", "qwen2",
    "qwen3", "gemma", "gemma2", "gemma3", "bert", "gpt2", "t5", "default", "llama-bpe", "qwen2",
    "smollm", "\u202e",
    "x" * 3000, "linear", "yarn", "\U0001f600", "{{", "{% for i in range(10**9) %}x{% endfor %}",
    "{{ 'x' * 10**9 }}", "{{ messages[99].content }}", "{% include 'x' %}",
    "{{ ''.__class__.__mro__ }}",
    "{% macro f(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}", "{{ 9**9**9 }}",
    "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
    "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}"
    "{% set ns.x = ns.x + ['a' * 4000000] %}{% endfor %}",
    "{% set ns = namespace(x='ab') %}{% for i in range(99) %}"
    "{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
    "{% for m in messages %}{{ m.content.__init__.__globals__ }}{% endfor %}",
    "{{ range(99999)|list|tojson|length }}",
    "{{ strftime_now('%Y' * 20) }}", "{{ raise_exception('no') }}", "{{ undefined.x.y }}",
    "{{ messages | map('upper') | list }}",
)  # fmt: skip

Entry = list[Any]  # [key, type, value], or [name, dims, code, offset] of a tensor


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def number(self, form: str) -> Any:
        value = struct.unpack_from("<" + form, self.data, self.at)[0]
        self.at += struct.calcsize("<" + form)
        return value

    def text(self) -> bytes:
        size = self.number("Q")
        self.at += size
        return self.data[self.at - size : self.at]

    def value(self, code: int) -> Any:
        if code == 8:
            return self.text()
        if code == 9:
            inner, count = self.number("I"), self.number("Q")
            return [inner, [self.value(inner) for _ in range(count)]]
        return self.number(_SCALARS[code])


def _write(code: int, value: Any) -> bytes:
    if code == 8:
        return struct.pack("<Q", len(value)) + value
    if code == 9:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(_write(inner, i) for i in items)
    return struct.pack("<" + _SCALARS[code], value)


@lru_cache(maxsize=8)
def _parsed(seed: bytes) -> tuple[tuple[Any, ...], tuple[Any, ...], bytes]:
    cursor = _Cursor(seed)
    cursor.at = 8
    num_tensors, num_values = cursor.number("Q"), cursor.number("Q")
    values: list[Any] = []
    for _ in range(num_values):
        key, code = cursor.text(), cursor.number("I")
        values.append((key, code, cursor.value(code)))
    tensors = []
    for _ in range(num_tensors):
        name = cursor.text()
        dims = [cursor.number("Q") for _ in range(cursor.number("I"))]
        tensors.append((name, dims, cursor.number("I"), cursor.number("Q")))
    return tuple(values), tuple(tensors), seed[-(-cursor.at // 32) * 32 :]


def mutate_gguf(seed: bytes, donors: Sequence[bytes], random: Random) -> bytes:
    """A third of the cases edits bytes, the others one to four records."""
    if random.random() < 0.33:
        return mutate(seed, donors, random)
    parsed, infos, body = _parsed(seed)
    values = [list(v) for v in parsed]
    tensors = [[name, list(dims), code, offset] for name, dims, code, offset in infos]
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice((_value, _value, _value, _tensor, _tensor, _key, _drop))(
            values, tensors, random
        )
    if random.random() < 0.1:
        body = body[: random.randrange(len(body))]
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(values))]
    for key, code, value in values:
        head += [_write(8, key), struct.pack("<I", code), _write(code, value)]
    for name, dims, code, offset in tensors:
        head += [_write(8, name), struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, code, offset)]
    raw = b"".join(head)
    return raw + bytes(-len(raw) % 32) + body


def _number(code: int, old: Any, random: Random) -> Any:
    form = _SCALARS[code]
    if form in "fd":
        return random.choice(_FLOATS)
    bits = 8 * struct.calcsize(form)
    new = random.choice((*_SIZES, old - 1, old + 1, old * 2, old // 2, -1)) % (1 << bits)
    return new - (1 << bits) if form.islower() and new >= 1 << bits - 1 else new


def _text(random: Random) -> bytes:
    return b"\xff\xfe" if random.random() < 0.05 else random.choice(_TEXTS).encode()


def _value(values: list[Entry], _: list[Entry], random: Random) -> None:
    """A value becomes another of its type, or one of another type."""
    entry = random.choice(values)
    if random.random() < 0.15:
        code = random.choice((*_SCALARS, 8, 9))
        entry[1] = code
        entry[2] = _text(random) if code == 8 else [9, [[4, [1]]] * 3] if code == 9 else 1
        return
    if entry[1] == 8:
        entry[2] = _text(random)
    elif entry[1] == 9:
        entry[2] = _array(*entry[2], random)
    else:
        entry[2] = _number(entry[1], entry[2], random)


def _array(code: int, items: list[Any], random: Random) -> list[Any]:
    """One element changed, items lost, doubled or shuffled, or another element type."""
    items, what = list(items), random.randrange(6)
    if what == 0 or not items:
        return [code, items[: random.randrange(len(items) + 1)]]
    if what == 1:
        return [code, items * 2]
    if what == 2:
        random.shuffle(items)
        return [code, items]
    if what == 3:
        return random.choice(
            ([4, [1] * len(items)], [8, [b"a"] * len(items)], [6, [1.5] * len(items)], [9, []])
        )
    for _ in range(random.choice((1, 3))):
        at = random.randrange(len(items))
        items[at] = _text(random) if code == 8 else _number(code, items[at], random)
    return [code, items]


def _tensor(_: list[Entry], tensors: list[Entry], random: Random) -> None:
    """Another shape, type, place or name."""
    entry, other = random.choice(tensors), random.choice(tensors)
    what = random.randrange(7)
    if what == 0:
        at = random.randrange(len(entry[1]))
        entry[1][at] = random.choice((*_SIZES, max(0, entry[1][at] - 1), entry[1][at] * 2))
    elif what == 1:
        entry[1].reverse()
    elif what == 2:
        entry[1] = entry[1] + [random.choice((1, 1, 2))] * random.choice((1, 2, 3, 5))
    elif what == 3:
        entry[2] = random.choice(_TENSOR_CODES)
    elif what == 4:
        entry[3] = random.choice(
            (0, 32, other[3], entry[3] + 32, entry[3] + 1, 2**40, 2**63, 2**64 - 32)
        )
    elif what == 5:
        entry[0], other[0] = other[0], entry[0]
    else:
        entry[0] = random.choice(
            (b"", b"x", entry[0] + b"x", entry[0][:-1], b"output.weight", other[0])
        )


def _key(values: list[Entry], _: list[Entry], random: Random) -> None:
    """A key is another's, or two values change places."""
    entry, other = random.choice(values), random.choice(values)
    if random.random() < 0.5:
        entry[0], other[0] = other[0], entry[0]
    else:
        entry[0] = random.choice(
            (
                b"general.alignment",
                b"llama.rope.scaling.type",
                b"llama.rope.scaling.factor",
                b"llama.attention.sliding_window",
                b"llama.attention.key_length",
                b"llama.attention.value_length",
                b"llama.expert_count",
                b"tokenizer.ggml.add_bos_token",
                b"tokenizer.ggml.add_space_prefix",
                b"tokenizer.ggml.unknown_token_id",
            )
        )


def _drop(values: list[Entry], tensors: list[Entry], random: Random) -> None:
    """A record is lost, or stands there twice."""
    table = random.choice((values, tensors))
    if len(table) < 2:
        return
    at = random.randrange(len(table))
    if random.random() < 0.5:
        del table[at]
    else:
        table.append(list(table[at]))
