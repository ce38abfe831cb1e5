"""What a probe times: single kernels, each at several sizes, as operands filled with one byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import final

from netwright.machine.table import Regime

# Format codes and blocks as native/vm/opcode.hpp and format.hpp have them.
CODES = {
    "fp32": 0, "fp16": 1, "bf16": 2, "uint8": 5, "int32": 7, "uint16": 10, "int64": 8, "boolean": 9,
    "q4_0": 16, "q4_1": 17, "q5_0": 18, "q5_1": 19, "q8_0": 20, "q2_k": 21, "q3_k": 22,
    "q4_k": 23, "q5_k": 24, "q6_k": 25, "tq1_0": 26, "tq2_0": 27, "act8x32": 40, "act8x256": 41,
    "lut4x256": 42, "bytes": 63,
}  # fmt: skip
BLOCKS = {
    "fp32": (1, 4), "fp16": (1, 2), "bf16": (1, 2), "int32": (1, 4), "int64": (1, 8),
    "uint8": (1, 1), "uint16": (1, 2), "boolean": (1, 1), "bytes": (1, 1),
    "q4_0": (32, 18), "q4_1": (32, 20), "q5_0": (32, 22), "q5_1": (32, 24), "q8_0": (32, 34),
    "q2_k": (256, 84), "q3_k": (256, 110), "q4_k": (256, 144), "q5_k": (256, 176),
    "q6_k": (256, 210), "tq1_0": (256, 54), "tq2_0": (256, 66),
}  # fmt: skip

# Operations for each byte of weights beyond which it does not matter where the weights lie: at 100
# operations a nanosecond, a byte that comes at 10 GB/s takes 2% of the time.
MANY_OPERATIONS = 500


@final
@dataclass(frozen=True, slots=True)
class ProbeOperand:
    """An operand to time with.

    `resident`: weights, or keys and values, which a program meets once in a pass. What is neither
    resident nor written was made by the task before. Where `ramp` is not 0, element e is e times
    it; where `below` is not 0, elements are drawn evenly below it: indices that a kernel may trust.
    `bits` (few, many): in every row so few of the first so many bits are set, drawn evenly. `ones`
    (few, many): so few of so many numbers in a row are 1, the others 0. `turns`: one number, which
    counts from 0 to one less than that from call to call. `normal`: rows that encode numbers drawn
    from a normal distribution.
    """

    format: str
    shape: tuple[int, ...]
    stride_bytes: tuple[int, ...]
    size_bytes: int
    resident: bool = False
    ramp: int = 0
    below: int = 0
    bits: tuple[int, int] | None = None
    ones: tuple[int, int] | None = None
    turns: int = 0
    normal: bool = False

    @property
    def is_told(self) -> bool:
        """Whether its contents matter."""
        drawn = self.below or self.bits or self.ones or self.normal
        return bool(self.ramp or self.turns or drawn)


@final
@dataclass(frozen=True, slots=True)
class KernelPoint:
    """One kernel at one size. `variant` and `sizes` are those that `cost.work` gives it.

    `stands_for`: other regimes in which it takes the same time. `between_bytes`: of other memory
    that are read between two calls; None: none where weights are warm, else what empties the inner
    caches.
    """

    opcode: str
    variant: str
    sizes: tuple[int, ...]
    regime: Regime
    operands: tuple[ProbeOperand | None, ...]
    parameters: tuple[int | float, ...]
    stands_for: tuple[Regime, ...] = ()
    between_bytes: int | None = None

    @property
    def streams(self) -> bool:
        """Whether its weights are others at every call, and come from the main memory."""
        return self.regime is Regime.COLD and not any(o and o.turns for o in self.operands)


def point(
    opcode: str,
    variant: str,
    sizes: tuple[int, ...],
    operands: tuple[ProbeOperand | None, ...],
    parameters: tuple[int | float, ...] = (),
) -> KernelPoint:
    """A point with its weights in the shared cache."""
    return KernelPoint(opcode, variant, sizes, Regime.CACHED, operands, parameters)


def cold_too(points: Iterable[KernelPoint]) -> Iterator[KernelPoint]:
    """Every point as it is, and with its weights in the outermost memory.

    Where each byte of weights meets very many operations, one point stands for both.
    """
    for each in points:
        resident = sum(o.size_bytes for o in each.operands if o and o.resident)
        if 2 * prod(each.sizes) > MANY_OPERATIONS * resident:
            yield replace(each, stands_for=(Regime.COLD,))
        else:
            yield each
            yield replace(each, regime=Regime.COLD)


def row_bytes(format_name: str, elements: int) -> int:
    """Bytes of a row; rows of int8 activations are padded to 64 (kernels/activation.hpp)."""
    if format_name == "act8x32":
        raw = elements + elements // 32 * 12
    elif format_name == "act8x256":
        raw = elements + elements // 16 * 2 + elements // 256 * 4
    elif format_name == "lut4x256":
        raw = elements // 256 * 1168
    else:
        block, size = BLOCKS[format_name]
        return elements // block * size
    return -(-raw // 64) * 64


def dense(format_name: str, *shape: int, resident: bool = False) -> ProbeOperand:
    """Row-major; the innermost stride of a block format is 0."""
    plain = BLOCKS.get(format_name, (0, 0))[0] == 1
    inner = row_bytes(format_name, shape[-1])
    strides = [BLOCKS[format_name][1] if plain else 0]
    size = inner
    for extent in reversed(shape[:-1]):
        strides.insert(0, size)
        size *= extent
    return ProbeOperand(format_name, shape, tuple(strides), size, resident)


def normal(format_name: str, *shape: int) -> ProbeOperand:
    """Rows of int8 activations, or of tables of their sums, with contents."""
    return replace(dense(format_name, *shape), normal=True)


def image(batch: int, channels: int, height: int, width: int) -> ProbeOperand:
    """fp32 [B, C, H, W] with channels last in memory."""
    strides = (4 * channels * height * width, 4, 4 * channels * width, 4 * channels)
    size = 4 * batch * channels * height * width
    return ProbeOperand("fp32", (batch, channels, height, width), strides, size)


def packed(outputs: int, inputs: int, taps: int, groups: int) -> ProbeOperand:
    """Packed fp32 panels, outputs padded to 8 (kernels/float_pack.hpp)."""
    size = 4 * (-(-outputs // 8) * 8) * inputs * taps * groups
    return ProbeOperand("bytes", (size,), (1,), size, True)
