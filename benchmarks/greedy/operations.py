"""Each operation of llama.cpp on its own inputs, against ours on the same inputs in float64.

    PYTHONPATH=src python -m benchmarks.greedy.operations MODEL.gguf

Run it in the peers' environment. Texts drift apart after one difference in a last bit; operations
one by one do not, so a rounding that one of us does and the other does not shows here. Prints the
largest RMS difference over layers, relative to the RMS of the result.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections import defaultdict
from importlib import import_module
from typing import Any, Final

import numpy as np
from benchmarks.greedy.ggml_tensor import Tensor, library, raw_rows, tensor_at, values_of
from numpy.typing import NDArray

from netwright.program.reference.activation import decode_activation, encode_activation

LAYERS: Final = frozenset({0, 14, 29})
TEXT: Final = "Once upon a time, in a small village by the sea, there lived an old man who"
NEXT: Final = 665
MOVES: Final = frozenset(
    {"RESHAPE", "VIEW", "PERMUTE", "TRANSPOSE", "CONT", "SET_ROWS", "GET_ROWS"}
)

Array = NDArray[Any]


def relative(found: Array, expected: Array) -> float:
    difference = found.astype(np.float64).reshape(-1) - expected.astype(np.float64).reshape(-1)
    return float(np.linalg.norm(difference) / np.linalg.norm(expected.astype(np.float64)))


def block_product(raw: NDArray[np.uint8], weight: Array, inputs: Array) -> Array:
    """[T, rows]: int8 activations as our kernels round them; q4_1 has its minima apart."""
    k = weight.shape[-1]
    blocks, rows = k // 32, weight.reshape(-1, k)
    packed = encode_activation(inputs.reshape(-1, k), "act8x32")
    activation = decode_activation(packed, "act8x32", k)
    if raw.shape[1] != blocks * 20:
        return activation @ rows.T
    pieces = np.ascontiguousarray(raw.reshape(-1, blocks, 20)[:, :, 2:4])
    minimum = pieces.view(np.float16)[..., 0].astype(np.float64)
    sums = np.ascontiguousarray(packed[:, k + 8 * blocks :]).view(np.float32)
    quants = (rows.reshape(-1, blocks, 32) - minimum[:, :, None]).reshape(-1, k)
    return activation @ quants.T + sums.astype(np.float64) @ minimum.T


def rotated(x: Array, positions: Array, width: int, base: float) -> Array:
    """Neighbours turned by position * base^(-2 i / width)."""
    angle = positions.reshape(-1, 1) * base ** (-np.arange(0, width, 2) / width)
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    out = x.copy()
    out[..., 0::2] = x[..., 0::2] * cosine - x[..., 1::2] * sine
    out[..., 1::2] = x[..., 0::2] * sine + x[..., 1::2] * cosine
    return out


class Watch:
    """Compares every operation of the chosen layers as soon as it is done."""

    def __init__(self) -> None:
        self._ggml = library()
        self._saved: dict[int, Array] = {}
        self.worst: dict[tuple[str, str, str], float] = defaultdict(float)

    def callback(self, address: int, ask: bool, _: object) -> bool:
        tensor = tensor_at(address)
        layer = re.search(r"(?:l|-)(\d+)", tensor.name.decode())
        wanted = layer is None or int(layer[1]) in LAYERS
        if wanted and not ask:
            self._check(tensor)
            # A later operation in place would overwrite its own input.
            self._saved[address] = values_of(tensor, self._type(tensor))
        return wanted or not ask

    def forget(self) -> None:
        self._saved.clear()

    def _type(self, tensor: Tensor) -> str:
        return self._ggml.ggml_type_name(tensor.type).decode()

    def _input(self, tensor: Tensor, place: int) -> Array:
        address = tensor.src[place]
        if address not in self._saved:
            source = tensor_at(address)
            return values_of(source, self._type(source))
        return self._saved[address]

    def _check(self, tensor: Tensor) -> None:
        operation = self._ggml.ggml_op_desc(ctypes.addressof(tensor)).decode()
        if operation in MOVES:
            return
        name = re.sub(r"[-_]?\d+", "", tensor.name.decode())
        for what, ours in self._ours(tensor, operation).items():
            key = (operation, name, what)
            found = relative(values_of(tensor, self._type(tensor)), ours)
            self.worst[key] = max(self.worst[key], found)

    def _ours(self, tensor: Tensor, operation: str) -> dict[str, Array]:
        """By what is rounded on the way."""
        numbers = np.array(tensor.op_params, np.int32).view(np.float32).astype(np.float64)
        x = self._input(tensor, 0).astype(np.float64)
        if operation == "MUL_MAT":
            return self._product(tensor, x)
        if operation == "RMS_NORM":
            return {"": x / np.sqrt((x**2).mean(-1, keepdims=True) + numbers[0])}
        if operation == "ROPE":
            width, base = tensor.op_params[1], float(numbers[5])
            return {"": rotated(x, self._input(tensor, 1), width, base)}
        if operation == "SOFT_MAX":
            scores = x * numbers[0] + self._input(tensor, 1)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            return {"": weights / weights.sum(-1, keepdims=True)}
        y = self._input(tensor, 1)
        if operation == "SWIGLU":
            return {"": x / (1 + np.exp(-x)) * y}
        if operation in ("MUL", "ADD"):
            return {"": x * y if operation == "MUL" else x + y}
        raise SystemExit(f"{operation} ({tensor.name.decode()}) has no meaning here")

    def _product(self, tensor: Tensor, weight: Array) -> dict[str, Array]:
        source, inputs = tensor_at(tensor.src[0]), self._input(tensor, 1)
        if self._type(source) in ("q4_1", "q8_0"):
            exact = inputs.astype(np.float64).reshape(-1, weight.shape[-1])
            return {
                "activations to int8": block_product(raw_rows(source), weight, inputs),
                "nothing": exact @ weight.reshape(-1, weight.shape[-1]).T,
            }
        weight = np.repeat(weight, inputs.shape[1] // weight.shape[1], axis=1)
        half = inputs.astype(np.float16).astype(np.float64)
        return {
            "the other factor to fp16": half @ weight.swapaxes(-1, -2),
            "nothing": inputs.astype(np.float64) @ weight.swapaxes(-1, -2),
        }


def main() -> None:
    api: Any = import_module("llama_cpp")
    inner: Any = import_module("llama_cpp.llama").llama_cpp
    model = api.Llama(sys.argv[1], vocab_only=True, verbose=False)
    ids = list(model.tokenize(TEXT.encode(), add_bos=True, special=True))
    watch, defaults = Watch(), inner.llama_context_default_params
    called = inner.ggml_backend_sched_eval_callback(watch.callback)

    def watched() -> Any:
        parameters = defaults()
        parameters.cb_eval = called
        return parameters

    # The wheel's class has no argument for it.
    inner.llama_context_default_params = watched
    model = api.Llama(sys.argv[1], n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False)
    for part in (ids, [NEXT]):
        watch.forget()
        model.eval(part)
    print("| operation | tensor | rounded by us | difference |\n|---|---|---|---:|")
    for (operation, name, what), worst in sorted(watch.worst.items()):
        print(f"| {operation} | {name} | {what or 'nothing'} | {worst:.1e} |")


if __name__ == "__main__":
    main()
