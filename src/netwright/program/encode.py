"""Program → the flat tables that the native core takes and the file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ProgramError
from netwright.graph.extent import Affine, Extent
from netwright.program.program import Operand, Program, Task

ABSENT = 0xFFFF
MAX_RANK = 6

OPERAND_ROW = np.dtype([("arena", "<u2"), ("format", "u1"), ("rank", "u1"), ("first_word", "<u4")])
PATCH_ROW = np.dtype([("word", "<u4"), ("symbol", "<u4"), ("coefficient", "<i8")])
TASK_ROW = np.dtype(
    [
        ("opcode", "<u2"),
        ("num_operands", "<u2"),
        ("num_parameters", "<u2"),
        ("worker", "<u2"),
        ("first_operand", "<u4"),
        ("first_parameter", "<u4"),
        ("parts", "<u4"),
        ("first_wait", "<u4"),
        ("num_waits", "<u4"),
        ("source", "<u4"),
        ("reserved", "<u4", (8,)),
    ]
)

# Codes are part of the file format: never reuse or renumber (native/vm/opcode.hpp has the same).
FORMAT_CODES: Mapping[str, int] = {
    "fp32": 0, "fp16": 1, "bf16": 2, "fp64": 3, "int8": 4, "uint8": 5, "int16": 6, "int32": 7,
    "int64": 8, "bool": 9, "uint16": 10, "q4_0": 16, "q4_1": 17, "q5_0": 18,
    "q5_1": 19, "q8_0": 20, "q2_k": 21,
    "q3_k": 22, "q4_k": 23, "q5_k": 24, "q6_k": 25, "tq1_0": 26, "tq2_0": 27, "act8x32": 40,
    "act8x256": 41, "lut4x256": 42, "bytes": 63,
}  # fmt: skip
FORMAT_NAMES: Mapping[int, str] = {code: name for name, code in FORMAT_CODES.items()}

# (elements, bytes) of a block, as native/vm/format.hpp has them.
BLOCKS: Mapping[str, tuple[int, int]] = {
    "fp32": (1, 4), "fp16": (1, 2), "bf16": (1, 2), "fp64": (1, 8), "int8": (1, 1), "uint8": (1, 1),
    "int16": (1, 2), "uint16": (1, 2), "int32": (1, 4), "int64": (1, 8), "bool": (1, 1),
    "bytes": (1, 1),
    "q4_0": (32, 18), "q4_1": (32, 20), "q5_0": (32, 22), "q5_1": (32, 24), "q8_0": (32, 34),
    "q2_k": (256, 84), "q3_k": (256, 110), "q4_k": (256, 144), "q5_k": (256, 176),
    "q6_k": (256, 210), "tq1_0": (256, 54), "tq2_0": (256, 66), "act8x32": (32, 44),
    "act8x256": (256, 292), "lut4x256": (256, 1168),
}  # fmt: skip
PAGE_BYTES = 4096

OPCODES: Mapping[str, int] = {
    "gather_rows": 1, "rms_norm": 2, "quantize_rows": 3, "matmul_quant": 4, "glu": 5, "rope": 6,
    "cache_append": 7, "attention": 8, "matmul_dense": 9, "matmul_lookup": 10, "matmul_codes": 11,
    "gemm_packed": 16, "matmul_batched": 17, "conv_packed": 18, "conv_depthwise": 19,
    "conv_transpose": 20, "pool": 21, "resize": 22,
    "unary": 32, "binary": 33, "where": 34, "copy": 35, "fill": 36, "softmax": 37,
    "layer_norm": 38, "reduce": 39, "arg_reduce": 40, "gather": 41, "lstm": 42, "gru": 43,
    "group_norm": 44, "gather_elements": 45, "gather_nd": 46, "scatter_nd": 47,
    "cumulative_sum": 48, "top_k": 49, "lp_norm": 50, "conv_winograd": 51, "stage_forward": 64,
    "stage_input_gradient": 65, "stage_weight_gradient": 66, "stage_backward": 67, "transfer": 68,
    "stage_update": 69, "neuron": 80, "spike_scatter": 81, "spike_rows": 82, "matmul_spikes": 83,
    "spike_procedural": 84, "poisson": 85, "spike_source": 86, "tick": 87, "row_copy": 88,
    "spiking_core": 89, "plastic_connect": 90, "stdp": 91, "spike_trace": 92, "astrocyte": 93,
}  # fmt: skip
OPCODE_NAMES: Mapping[int, str] = {code: name for name, code in OPCODES.items()}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The rows of docs/program-format.md, each a one-dimensional numpy array."""

    words: NDArray[np.int64]
    patches: NDArray[Any]
    operands: NDArray[Any]
    tasks: NDArray[Any]
    waits: NDArray[np.uint32]
    symbols: tuple[str, ...]
    sources: tuple[str, ...]


class Encoder:
    """Collects rows; equal operands are written once."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = tuple(symbols)
        self.words: list[int] = []
        self.patches: list[tuple[int, int, int]] = []
        self.operands: list[tuple[int, int, int, int]] = []
        self.tasks: list[tuple[Any, ...]] = []
        self.waits: list[int] = []
        self.sources: dict[str, int] = {}
        self._first_word: dict[Operand, int] = {}

    def word(self, value: Extent | float) -> None:
        """One more word: an integer, the bits of a double, or an affine extent with patches."""
        if isinstance(value, Affine):
            for name, coefficient in value.terms:
                if name not in self.symbols:
                    raise ProgramError(f"symbol {name!r} is in no entry; known: {self.symbols}")
                self.patches.append((len(self.words), self.symbols.index(name), coefficient))
            value = value.constant
        if isinstance(value, float):
            value = int(np.float64(value).view(np.int64))
        self.words.append(value)

    def operand(self, operand: Operand | None) -> None:
        """One more operand row."""
        if operand is None:
            self.operands.append((ABSENT, 0, 0, 0))
            return
        first = self._first_word.get(operand)
        if first is None:
            first = self._first_word[operand] = len(self.words)
            self.word(operand.offset_bytes)
            for value in (*operand.shape, *operand.stride_bytes):
                self.word(value)
        code = FORMAT_CODES.get(operand.format)
        if code is None:
            raise ProgramError(f"no operand format {operand.format!r}; known: {list(FORMAT_CODES)}")
        self.operands.append((operand.arena, code, len(operand.shape), first))

    def task(self, task: Task) -> None:
        """One more task row."""
        opcode = OPCODES.get(task.opcode)
        if opcode is None:
            raise ProgramError(f"{task.source}: no opcode {task.opcode!r}")
        first_operand, first_wait = len(self.operands), len(self.waits)
        for operand in task.operands:
            self.operand(operand)
        first_parameter = len(self.words)
        for value in task.parameters:
            self.word(value)
        self.waits.extend(task.waits)
        source = self.sources.setdefault(task.source, len(self.sources))
        self.tasks.append(
            (opcode, len(task.operands), len(task.parameters), task.worker, first_operand,
             first_parameter, task.parts, first_wait, len(task.waits), source, (0,) * 8)
        )  # fmt: skip


def program_symbols(program: Program) -> tuple[str, ...]:
    """Every symbol of every entry, sorted: their order is the order of values in a call."""
    return tuple(sorted({name for entry in program.entries for name, _, _ in entry.bounds}))


def encode(program: Program) -> Tables:
    """The tables of all entries, one after another.

    Raises:
        ProgramError: an opcode, format or symbol is unknown.
    """
    encoder = Encoder(program_symbols(program))
    for entry in program.entries:
        for task in entry.tasks:
            encoder.task(task)
    return Tables(
        np.array(encoder.words, np.int64),
        np.array(encoder.patches, PATCH_ROW),
        np.array(encoder.operands, OPERAND_ROW),
        np.array(encoder.tasks, TASK_ROW),
        np.array(encoder.waits, np.uint32),
        encoder.symbols,
        tuple(encoder.sources),
    )
