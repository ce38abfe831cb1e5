"""Netwright's native core."""

from collections.abc import Sequence
from typing import Annotated

import numpy
from numpy.typing import NDArray


def chip_count(step_start: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], neuron: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], axon_start: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], core: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], synapses: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], kind: Annotated[NDArray[numpy.int8], dict(shape=(None,), order='C', device='cpu', writable=False)], home: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], fired: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu')], packets_out: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu')], packets_in: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu')], synaptic: Annotated[NDArray[numpy.int64], dict(shape=(None, None, None), order='C', device='cpu')]) -> None:
    """
    Adds what recorded spikes make happen on each core in each step; see native/spikes/chip_trace.hpp.
    """

def has_avx2() -> bool:
    """Whether this processor has AVX2 and FMA."""

def events_sweep(seconds: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], resource: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], wait_start: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], wait: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], servers: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], start: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], end: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> bool:
    """One pass in order; false when a task waits for a later one."""

def events_run(seconds: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], resource: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], wait_start: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], wait: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], servers: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], bytes: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], limit: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], channel_start: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], channel: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], capacity: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], start: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], end: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> int:
    """Event by event, with shared channels; the number of tasks that ended."""

def events_occupancy(time: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], memory: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], change: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], order: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu')], used: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu')], peak: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """Running sums of changes by memory and time."""

class Executable:
    """A loaded program: verified once, then run without allocating."""

    def __init__(self, words: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], patches: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], operands: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], tasks: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], waits: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], arenas: Sequence[tuple], entries: Sequence[tuple], threads: int, use_avx2: bool) -> None: ...

    def run(self, entry: int, symbols: Sequence[int], trace: bool = False) -> None: ...

    def run_slice(self, entry: int, symbols: Sequence[int], first: int, last: int) -> None:
        """
        Traced, on this thread, tasks [first, last) only: a run in slices, with something else between them.
        """

    def reset_state(self) -> None: ...

    def set_threads(self, arg: int, /) -> None: ...

    @property
    def workspace_bytes(self) -> int: ...

    def arena(self, index: int) -> Annotated[NDArray[numpy.uint8], dict(shape=(None,))]:
        """
        The bytes of an arena, read-only where the program may not write; they live as long as it.
        """

    def times(self, tasks: int) -> list[int]:
        """
        Start and end in nanoseconds of each task of the last traced run, flat.
        """

def opcode_codes() -> dict: ...

def pack_gemm(weight: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)]) -> bytes:
    """The bytes that gemm_packed reads, from fp32 [N, K] of any strides."""

def pack_lookup(weight: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], format: int, outputs: int, inputs: int) -> bytes:
    """
    The bytes that matmul_lookup reads, from the bytes of tq1_0 (26) or tq2_0 (27).
    """

def pack_conv(weight: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None, None), device='cpu', writable=False)], groups: int = 1) -> bytes:
    """The bytes that conv_packed reads, from fp32 [O, C/groups, kh, kw]."""

def pack_conv_transpose(weight: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None, None), device='cpu', writable=False)], strides: tuple[int, int], dilations: tuple[int, int], groups: int = 1) -> bytes:
    """
    The bytes that conv_transpose reads at these strides and dilations, from fp32 [C, O/groups, kh, kw].
    """

def packed_bytes(outputs: int, inputs: int, taps: int = 1, groups: int = 1) -> int:
    """Size of a packed weight; outputs and inputs count one group's."""

def call(name: str, operands: list, parameters: Sequence[int | float], part: int = 0, parts: int = 1, avx2: bool = True, repeats: int = 1) -> float:
    """
    Run one opcode in place; returns the CPU seconds of this thread. An operand is
    (array, format code, shape, strides in bytes), or None when absent; written ones first.
    A float parameter is passed as the bits of a double. ValueError: the opcode's check refused.
    """

def opcodes() -> list:
    """
    (code, name, number of written operands, has an AVX2 form) of every opcode.
    """

def activation_row_bytes(format: int, k: int) -> int:
    """
    Bytes of one row of k activations in act8x32 (40), act8x256 (41) or lut4x256 (42); -1 when impossible.
    """

class NestProblem:
    """A loop nest and an array, checked."""

    def __init__(self, sizes: Sequence[int], dims: Sequence[Sequence[tuple[int, int, int, int, int]]], multicast: Sequence[bool], levels: Sequence[tuple[float, float, float, int, int, int, bool, Sequence[int]]], ports: Sequence[float], hidden: Sequence[bool], port_inputs: Sequence[int], bits: Sequence[int], reads_first_sum: bool, windows: bool) -> None: ...

    def cost(self, mapping: tuple[Sequence[tuple[int, int, int]], Sequence[tuple[int, int]], Sequence[Sequence[int]], Sequence[Sequence[int]]]) -> tuple[float, float, float, float, float]:
        """
        Joules of memories; cycles of loading, computing, unloading, and of the busiest port.
        """

    def search(self, spatial: Sequence[Sequence[tuple[int, int, int]]], paths: Sequence[Sequence[Sequence[int]]], cycles: bool, visits: int) -> tuple[bool, tuple[list[tuple[int, int, int]], list[tuple[int, int]], list[list[int]], list[list[int]]], tuple[float, float, float, float, float], float, bool, int, list[float]]:
        """
        (found, mapping, cost, bound, proved, visits, smallest bits by level): least cycles, or least joules.
        """

def pipeline_search(microbatches: int, place: Sequence[int], forward: Sequence[float], input: Sequence[float], weight: Sequence[float], memory: Sequence[float], kept: Sequence[float], transfer: Sequence[float], limit: Sequence[float], starts: Sequence[Sequence[Sequence[int]]], passes: int, seed: int) -> tuple[list[list[int]], float, int]:
    """
    Shortest span found: (orders of passes by worker, span, tries); no orders when nothing fits.
    """

def allocation_fit(lower: Sequence[int], upper: Sequence[int], size: Sequence[int], alignment: Sequence[int], fixed: Sequence[int], capacity: int, nodes: int, seconds: float) -> tuple[int, list[int], int]:
    """Complete search: (0 found, 1 impossible, 2 stopped; offsets; nodes)."""

def allocation_minimise(lower: Sequence[int], upper: Sequence[int], size: Sequence[int], alignment: Sequence[int], fixed: Sequence[int], nodes: int, seconds: float) -> tuple[list[int], int, int, bool, int]:
    """
    Lowest packing found: (offsets, height, bound, proved, nodes); no offsets when fixed ones collide.
    """

def best_order(before: Sequence[Sequence[int]], touched: Sequence[Sequence[int]], size: Sequence[int], from_start: Sequence[bool], to_end: Sequence[bool], in_place: Sequence[Sequence[tuple[int, int]]], nodes: int) -> tuple[list[int], int, int, bool, int]:
    """Order of least peak: (tasks, peak bytes, bound, proved, states)."""

def time_call(name: str, operands: list, parameters: Sequence[int | float], copies: int = 1, budget_seconds: float = 0.05, between_bytes: int = 0, avx2: bool = True) -> list[tuple[float, float, float]]:
    """
    (seconds of one call, of the reference beside it, of reading the memory further out), a sample. An operand is (uint8 array, format code, shape,
    strides in bytes, copy stride in bytes, produced) or None; call i uses copy i modulo `copies`, so
    that weights can come from memory rather than from a cache. Before each call `between_bytes` of
    other memory are read, and what is produced is written. ValueError: refused by the opcode's check.
    """

def workspace_of(name: str, operands: list, parameters: Sequence[int | float]) -> int:
    """
    Bytes of workspace that a call needs for each thread. An operand is (format code, shape, strides in
    bytes) or None. ValueError: refused by the opcode's check.
    """

def reference_seconds(avx2: bool) -> float:
    """
    Seconds of a fixed piece of work: longer than usual when the processor is not left alone.
    """

def stream_seconds(avx2: bool) -> float:
    """
    Seconds to read a quarter MiB of the main memory: longer than usual when others use it, too.
    """

def read_rates(num_bytes: int, threads: int, seconds: float, avx2: bool) -> list[float]:
    """Bytes per CPU second that each thread reads."""

def copy_rates(num_bytes: int, threads: int, seconds: float, avx2: bool) -> list[float]:
    """Bytes read plus written per CPU second of each thread."""

def float_rates(threads: int, seconds: float, avx2: bool) -> list[float]:
    """fp32 operations per CPU second of each thread."""

def int8_rates(threads: int, seconds: float, avx2: bool) -> list[float]:
    """int8 dot product operations per CPU second of each thread."""

def train_lif_forward(neurons: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], reset: int, fires_at_threshold: bool, x: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), device='cpu', writable=False)], v_first: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None, spikes: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')], u: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')] | None, v_last: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], threads: int, avx2: bool) -> None:
    """
    Many steps of leaky integrate-and-fire neurons; see native/spikes/train_lif.hpp.
    """

def train_lif_backward(neurons: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], reset: int, fires_at_threshold: bool, u: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], v_first: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None, d_spikes: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), device='cpu', writable=False)], d_v_last: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None, d_x: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')], d_v_first: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], d_decay: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')] | None, d_threshold: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')] | None, surrogate: int, sharpness: float, detach_reset: bool, through_time: bool, threads: int, avx2: bool) -> None:
    """
    Its gradients, back through time, with a surrogate for the slope of a spike.
    """

def train_sequence(steps: int, batch: int, neurons: int) -> Annotated[NDArray[numpy.float32], dict(shape=(None, None, None))]:
    """
    An array that is filled with nothing known, from memory that is kept when the array goes and used for the
    next one of its size (native/spikes/blocks.hpp). ValueError: more than 2^40 numbers.
    """

def train_memory() -> tuple[int, int, int]:
    """
    Bytes kept for the next array of train_sequence, those of arrays in use, and the most in use at once.
    """
