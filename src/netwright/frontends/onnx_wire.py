"""The protobuf wire format, read in place: no copy, every length checked before it is used.

Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}
_MAX_FIELDS = 2_000_000  # of a whole file; a node takes about 15
_VARINT_BYTES = 10


@final
@dataclass(frozen=True, slots=True)
class Field:
    """One field: the value of a varint, else the byte range of its payload."""

    wire: int
    value: int
    start: int
    stop: int


@final
class Wire:
    """A bounds-checked reader over the bytes of one file; `source` names it in errors."""

    def __init__(self, source: str, data: memoryview) -> None:
        self.source = source
        self.data = data
        self._num_fields = 0

    def fail(self, where: str, problem: str) -> FormatError:
        """The error of this file at this place."""
        return FormatError(f"{self.source}: {where}: {problem}")

    def varint(self, at: int, stop: int, where: str) -> tuple[int, int]:
        """The unsigned 64-bit number at a byte, and the byte after it."""
        value = shift = 0
        for i in range(at, min(stop, at + _VARINT_BYTES)):
            byte = self.data[i]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, i + 1
            shift += 7
        raise self.fail(where, f"at byte {at}: got a number that does not end, expected a varint")

    def message(self, span: Field, where: str) -> Message:
        """All fields of the message in this byte range."""
        if span.wire != BYTES:
            raise self.fail(where, f"got wire type {span.wire}, expected a message")
        fields: dict[int, list[Field]] = {}
        at = span.start
        while at < span.stop:
            key, at = self.varint(at, span.stop, where)
            field = self._field(key & 7, at, span.stop, where)
            at = field.stop
            fields.setdefault(key >> 3, []).append(field)
            self._num_fields += 1
            if self._num_fields > _MAX_FIELDS:
                raise self.fail(
                    where, f"more than {_MAX_FIELDS} fields; save large tensors as raw_data"
                )
        return Message(self, fields, where)

    def _field(self, wire: int, at: int, stop: int, where: str) -> Field:
        if wire == VARINT:
            value, end = self.varint(at, stop, where)
            return Field(wire, value, at, end)
        if wire == BYTES:
            size, at = self.varint(at, stop, where)
        elif wire in _FIXED_BYTES:
            size = _FIXED_BYTES[wire]
        else:
            raise self.fail(where, f"at byte {at}: got wire type {wire}, expected 0, 1, 2 or 5")
        if size > stop - at:
            raise self.fail(
                where, f"at byte {at}: got a length of {size}, but only {stop - at} bytes are left"
            )
        return Field(wire, 0, at, at + size)


@final
class Message:
    """The fields of one message by number. `where` is its path in the file, for errors."""

    __slots__ = ("_fields", "_wire", "where")

    def __init__(self, wire: Wire, fields: dict[int, list[Field]], where: str) -> None:
        self._wire = wire
        self._fields = fields
        self.where = where

    def fail(self, problem: str) -> FormatError:
        """The error of this message."""
        return self._wire.fail(self.where, problem)

    def has(self, number: int) -> bool:
        """Whether the field stands there at all."""
        return number in self._fields

    def spans(self, number: int) -> Sequence[Field]:
        """Every occurrence of a field of bytes."""
        found = self._fields.get(number, [])
        for field in found:
            if field.wire != BYTES:
                raise self.fail(f"field {number}: got wire type {field.wire}, expected bytes")
        return found

    def messages(self, number: int, name: str) -> list[Message]:
        """Every occurrence of a field of messages."""
        return [
            self._wire.message(f, f"{self.where}.{name}[{i}]")
            for i, f in enumerate(self.spans(number))
        ]

    def only(self, number: int, name: str) -> Message | None:
        """A message that may stand at most once."""
        found = self.spans(number)
        if len(found) > 1:
            raise self.fail(f"got {len(found)} of {name}, expected one")
        return self._wire.message(found[0], f"{self.where}.{name}") if found else None

    def raw(self, number: int) -> memoryview:
        """The bytes of the last occurrence; empty when absent."""
        found = self.spans(number)
        return self._wire.data[found[-1].start : found[-1].stop] if found else memoryview(b"")

    def text(self, number: int) -> str:
        """A UTF-8 string; empty when absent."""
        texts = self.texts(number)
        return texts[-1] if texts else ""

    def texts(self, number: int) -> tuple[str, ...]:
        """Every string of a repeated field."""
        data = self._wire.data
        try:
            return tuple(str(data[f.start : f.stop], "utf-8") for f in self.spans(number))
        except UnicodeDecodeError as error:
            raise self.fail(f"field {number}: got bytes that are no UTF-8 text") from error

    def integer(self, number: int, default: int = 0) -> int:
        """A signed 64-bit number."""
        found = self._fields.get(number)
        if not found:
            return default
        if found[-1].wire != VARINT:
            raise self.fail(f"field {number}: got wire type {found[-1].wire}, expected a varint")
        return _signed(found[-1].value)

    def integers(self, number: int) -> NDArray[np.int64]:
        """A repeated number, packed or one by one."""
        parts: list[NDArray[np.int64]] = []
        for field in self._fields.get(number, []):
            if field.wire == VARINT:
                parts.append(np.array([_signed(field.value)], dtype=np.int64))
            elif field.wire == BYTES:
                parts.append(self._packed(field))
            else:
                raise self.fail(f"field {number}: got wire type {field.wire}, expected numbers")
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def packed_span(self, number: int) -> Field | None:
        """The one byte range of fixed-size numbers, or None when they lie scattered."""
        found = self._fields.get(number, [])
        return found[0] if len(found) == 1 and found[0].wire == BYTES else None

    def fixed_bytes(self, number: int, wire: int) -> bytes:
        """A repeated fixed-size number, packed or one by one, as little-endian bytes."""
        found = self._fields.get(number, [])
        size = _FIXED_BYTES[wire]
        for field in found:
            if field.wire not in (wire, BYTES) or (field.stop - field.start) % size:
                raise self.fail(f"field {number}: expected numbers of {size} bytes")
        return b"".join(bytes(self._wire.data[f.start : f.stop]) for f in found)

    def _packed(self, field: Field) -> NDArray[np.int64]:
        """Packed varints, all at once: the k-th byte of each adds its 7 bits at 7 k."""
        raw = np.frombuffer(self._wire.data[field.start : field.stop], dtype=np.uint8)
        ends = np.flatnonzero(raw < 0x80)
        if raw.size and (not ends.size or ends[-1] != raw.size - 1):
            raise self.fail(f"at byte {field.start}: got packed numbers that do not end")
        starts = np.concatenate([np.zeros(1, dtype=ends.dtype), ends[:-1] + 1])[: ends.size]
        lengths = ends - starts + 1
        if lengths.size and int(lengths.max()) > _VARINT_BYTES:
            raise self.fail(f"at byte {field.start}: got a packed number of over 10 bytes")
        values = np.zeros(ends.size, dtype=np.uint64)
        for k in range(int(lengths.max()) if lengths.size else 0):
            here = lengths > k
            part = (raw[starts[here] + k] & 0x7F).astype(np.uint64)
            values[here] |= part << np.uint64(7 * k)
        return values.view(np.int64)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
