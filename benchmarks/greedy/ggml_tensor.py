"""A ggml tensor as it lies in memory, by ctypes (ggml.h in llama-cpp-python 0.3.36)."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netwright.graph.format import format_of

PLAIN: Final[dict[str, Any]] = {
    "f32": np.float32,
    "f16": np.float16,
    "i32": np.int32,
    "i64": np.int64,
}


class Tensor(ctypes.Structure):
    """`struct ggml_tensor` up to its name."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
    ]


def library() -> Any:
    """The loaded libggml-base, which names operations and types. Import llama_cpp before."""
    mapped = Path("/proc/self/maps").read_text().split()
    ggml = ctypes.CDLL(next(part for part in mapped if "libggml-base.so" in part))
    ggml.ggml_op_desc.restype = ggml.ggml_type_name.restype = ctypes.c_char_p
    ggml.ggml_op_desc.argtypes = [ctypes.c_void_p]
    return ggml


def tensor_at(address: int) -> Tensor:
    return Tensor.from_address(address)


def raw_rows(tensor: Tensor) -> NDArray[np.uint8]:
    """Bytes [rows, row bytes] of a tensor without gaps between rows."""
    rows = tensor.ne[1] * tensor.ne[2] * tensor.ne[3]
    memory = (ctypes.c_uint8 * (rows * tensor.nb[1])).from_address(tensor.data)
    return np.ctypeslib.as_array(memory).reshape(rows, tensor.nb[1])


def values_of(tensor: Tensor, type_name: str) -> NDArray[Any]:
    """A copy, its dims outermost first; blocks are decoded to float64."""
    shape, strides = list(tensor.ne)[::-1], list(tensor.nb)[::-1]
    if type_name not in PLAIN:
        return format_of(type_name).decode(raw_rows(tensor)).reshape(shape)
    dtype = np.dtype(PLAIN[type_name])
    size = sum((n - 1) * b for n, b in zip(shape, strides, strict=True)) + dtype.itemsize
    memory = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(tensor.data))
    first = memory[: dtype.itemsize].view(dtype)
    return np.lib.stride_tricks.as_strided(first, shape, strides).copy()
