"""A seeded mutator: bit flips, truncation, length-field edits, splices, and edits of text."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from random import Random

Operation = Callable[[bytearray, Sequence[bytes], Random], None]

# Sizes, counts and offsets that have broken parsers: zero, signs, the ends of every width.
_NUMBERS = (
    0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 4095, 4096, 65535, 65536,
    2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**46, 2**62, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip
_WORDS = (
    b"-1", b"0", b"-0.0", b"1e309", b"-1e309", b"nan", b".inf", b"null", b"true", b"[]", b"{}",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"1e18", b"0x10",
    b"99999999999999999999999999", b"../../etc/passwd", b"\xff\xfe", b"\xe2\x80\xae", b"\0",
    b"!!python/none", b"&a [*a]", b"*b", b"<<: {}", b"2026-01-01", b"1_000", b"0o7", b"? :",
    b"''", b"%", b"@", b"|\n", b"- - -",
)  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?")
_HEAD_BYTES = 2048


def mutate(seed: bytes, donors: Sequence[bytes], random: Random) -> bytes:
    """The seed with one to eight edits; equal random states give equal bytes."""
    data = bytearray(seed)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        random.choice(OPERATIONS)(data, donors, random)
    return bytes(data)


def _place(data: bytearray, random: Random) -> int:
    """A position; half of them in the head, where counts and offsets stand."""
    reach = len(data) if random.random() < 0.5 else min(len(data), _HEAD_BYTES)
    return random.randrange(reach + 1)


def flip_bit(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """One bit."""
    at = _place(data, random)
    if at < len(data):
        data[at] ^= 1 << random.randrange(8)


def set_byte(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """One byte to anything."""
    at = _place(data, random)
    if at < len(data):
        data[at] = random.randrange(256)


def truncate(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """The end is lost."""
    del data[_place(data, random) :]


def edit_field(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """A little-endian field of 1 to 8 bytes becomes a number that breaks parsers, or a near one."""
    width = random.choice((1, 2, 4, 4, 8, 8))
    at = _place(data, random)
    if random.random() < 0.5:
        at -= at % width
    if at + width > len(data):
        return
    value = int.from_bytes(data[at : at + width], "little")
    if random.random() < 0.5:
        value = random.choice(_NUMBERS)
    else:
        value += random.choice((-256, -8, -2, -1, 1, 2, 8, 256))
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, "little")


def edit_varint(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """A byte becomes a base-128 number (protobuf's lengths), perhaps one that never ends."""
    at = _place(data, random)
    if random.random() < 0.2:
        data[at : at + 1] = b"\xff" * random.choice((5, 9, 10, 11, 40))
        return
    value, written = random.choice(_NUMBERS), bytearray()
    while value >= 128:
        written.append(value & 127 | 128)
        value >>= 7
    data[at : at + 1] = bytes((*written, value))


def edit_double(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """Eight bytes become a float that is no ordinary number."""
    at = _place(data, random) // 8 * 8
    if at + 8 <= len(data):
        value = random.choice((float("nan"), float("inf"), -float("inf"), 5e-324, 1e308, -0.0))
        data[at : at + 8] = struct.pack("<d", value)


def splice(data: bytearray, donors: Sequence[bytes], random: Random) -> None:
    """A piece of a donor is written over, or put in."""
    donor = random.choice(donors)
    length = random.choice((1, 4, 8, 16, 64, 256))
    start = random.randrange(max(1, len(donor) - length + 1))
    at = _place(data, random)
    replaced = length if random.random() < 0.5 else 0
    data[at : at + replaced] = donor[start : start + length]


def remove(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """A piece is lost."""
    at = _place(data, random)
    del data[at : at + random.choice((1, 2, 4, 8, 32, 128))]


def repeat(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """A piece stands there again, and again."""
    at = _place(data, random)
    piece = bytes(data[at : at + random.choice((1, 4, 16, 64))])
    data[at:at] = piece * random.choice((1, 2, 16, 200))


def edit_number(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """A number written in digits becomes another word."""
    at = _place(data, random)
    found = _NUMBER.search(data, at)
    if found:
        data[found.start() : found.end()] = random.choice(_WORDS)


def insert_word(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """A word that means something to YAML or JSON."""
    at = _place(data, random)
    data[at:at] = random.choice(_WORDS)


def nest(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """Brackets that never close."""
    at = _place(data, random)
    data[at:at] = random.choice((b"[", b"{", b'{"a":', b"(", b"- ")) * random.choice((3, 100, 5000))


def move_line(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """A line goes elsewhere, or stands there twice."""
    lines = bytes(data).split(b"\n")
    line = random.choice(lines)
    if random.random() < 0.5:
        lines.remove(line)
    lines.insert(random.randrange(len(lines) + 1), line)
    data[:] = b"\n".join(lines)


OPERATIONS: tuple[Operation, ...] = (
    flip_bit,
    set_byte,
    truncate,
    edit_field,
    edit_field,
    edit_varint,
    edit_double,
    splice,
    remove,
    repeat,
    edit_number,
    insert_word,
    nest,
    move_line,
)
