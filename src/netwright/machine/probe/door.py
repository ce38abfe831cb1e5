"""What the probe calls in the compiled core, with its types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from netwright import native

# (bytes, format code, shape, strides in bytes, copy stride in bytes, produced); None: absent.
TimedOperand = tuple[NDArray[np.uint8], int, list[int], list[int], int, bool] | None


class ProbeCore(Protocol):
    """native/bindings/probe.cpp and the list of opcodes."""

    __file__: str

    def Executable(
        self,
        *tables: NDArray[np.uint8],
        arenas: list[tuple[object, ...]],
        entries: list[tuple[object, ...]],
        threads: int,
        use_avx2: bool,
    ) -> object: ...

    def has_avx2(self) -> bool: ...

    def opcodes(self) -> list[tuple[int, str, int, bool]]: ...

    def read_rates(self, num_bytes: int, threads: int, seconds: float, avx2: bool) -> list[float]:
        """Bytes per CPU second of each thread."""
        ...

    def copy_rates(self, num_bytes: int, threads: int, seconds: float, avx2: bool) -> list[float]:
        """Bytes read plus written per CPU second of each thread."""
        ...

    def float_rates(self, threads: int, seconds: float, avx2: bool) -> list[float]:
        """fp32 operations per CPU second of each thread."""
        ...

    def int8_rates(self, threads: int, seconds: float, avx2: bool) -> list[float]:
        """int8 operations per CPU second of each thread."""
        ...

    def call(
        self,
        name: str,
        operands: Sequence[tuple[NDArray[Any], int, list[int], list[int]]],
        parameters: Sequence[int | float],
        *,
        avx2: bool,
    ) -> float:
        """Runs an opcode once. ValueError: refused by it."""
        ...

    def time_call(
        self,
        name: str,
        operands: Sequence[TimedOperand],
        parameters: Sequence[int | float],
        copies: int,
        budget_seconds: float,
        between_bytes: int,
        avx2: bool,
    ) -> list[tuple[float, float, float]]:
        """(seconds of one call, of the reference beside it, of the memory further out), a sample.

        ValueError: refused by the opcode.
        Before each call `between_bytes` of other memory are read and what is produced is written.
        """
        ...

    def reference_seconds(self, avx2: bool) -> float:
        """Seconds of a fixed piece of work."""
        ...

    def stream_seconds(self, avx2: bool) -> float:
        """Seconds to read a fixed piece of the main memory."""
        ...


core = cast(ProbeCore, native.core)  # pyright: ignore[reportUnknownMemberType]
