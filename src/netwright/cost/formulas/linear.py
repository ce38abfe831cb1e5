"""Matrix products. Sizes: (T rows, K inputs, N outputs); variant: the weight's format."""

from __future__ import annotations

from dataclasses import replace

from netwright.cost.formulas.build import (
    Parameters,
    Views,
    function_operations,
    need,
    optional,
    parameter,
    plain,
    size,
    weighted,
)
from netwright.cost.work import Work


def matmul_quant(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """2 T K N int8 operations; scales are folded once a block and not counted."""
    out, x, weight = (need(opcode, operands, i) for i in range(3))
    return _product(opcode, weight.format, "int8", operands, parameters, x.shape[-1], out.elements)


def matmul_dense(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """2 T K N operations in the weight's own class."""
    out, x, weight = (need(opcode, operands, i) for i in range(3))
    return _product(
        opcode, weight.format, weight.format, operands, parameters, x.shape[-1], out.elements
    )


def matmul_lookup(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Index, lookup, widening, addition for four bits of a plane: T N K bits operations.

    Sizes: (T, K, N); variant: `bits` and their number. Making the tables is a task of its own. By a
    roofline two bits so take what their product takes: no peak rate says how fast lookups are.
    """
    out, bits = need(opcode, operands, 0), int(parameter(opcode, parameters, 2))
    inputs = int(parameter(opcode, parameters, 0))
    plain = _product(opcode, f"bits{bits}", "int8", operands, parameters[4:], inputs, out.elements)
    (arithmetic, operations), *rest = plain.operations
    return replace(plain, operations=((arithmetic, operations * bits / 2), *rest))


def matmul_codes(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """An int8 lookup and an addition for two codes: 2 T K N operations.

    Sizes: (T, K, N); variant: `bits2x2`.
    """
    out, x, weight, scale = (need(opcode, operands, i) for i in range(4))
    inputs, outputs = int(parameter(opcode, parameters, 0)), out.shape[-1]
    code = int(parameter(opcode, parameters, 4))
    return weighted(
        opcode,
        "bits2x2",
        (out.elements // max(outputs, 1), inputs, outputs),
        (
            ("int8", 2.0 * out.elements * inputs),
            ("fp32", function_operations(code, out.elements)),
        ),
        size(weight, scale, optional(operands, 4)),
        size(x),
        out.num_bytes,
    )


def gemm_packed(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """2 T K N fp32 operations; the weight is packed bytes, K and N are parameters 0 and 1.

    In the sizes N is padded to 8, as panels are.
    """
    need(opcode, operands, 2)
    out, inputs = need(opcode, operands, 0), int(parameter(opcode, parameters, 0))
    plain = _product(opcode, "fp32", "fp32", operands, parameters[2:], inputs, out.elements)
    rows, _, outputs = plain.sizes
    return replace(plain, sizes=(rows, inputs, -(-outputs // 8) * 8))


def _product(
    opcode: str,
    variant: str,
    arithmetic: str,
    operands: Views,
    function: Parameters,
    inputs: int,
    results: int,
) -> Work:
    out, x, weight = (need(opcode, operands, i) for i in range(3))
    outputs = out.shape[-1]
    rows = results // max(outputs, 1)
    code = function[0] if function else 0
    return weighted(
        opcode,
        variant,
        (rows, inputs, outputs),
        (
            (arithmetic, 2.0 * rows * inputs * outputs),
            ("fp32", function_operations(code, results)),
        ),
        size(weight, optional(operands, 3)),
        size(x, optional(operands, 4)),
        out.num_bytes,
    )


def matmul_batched(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """2 B M K N fp32 operations, both operands computed. Sizes: (B, M, K, N)."""
    out, a, b = (need(opcode, operands, i) for i in range(3))
    rows, inner, columns = out.shape[-2], a.shape[-1], out.shape[-1]
    batch = out.elements // max(rows * columns, 1)
    sizes = (batch, rows, inner, columns)
    return plain(opcode, "fp32", sizes, 2.0 * out.elements * inner, size(a, b), out.num_bytes)


def lstm(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Four gates: 2 S B 4H (I + H) operations. Sizes: (S steps, B, I, H)."""
    x, w, r = (need(opcode, operands, i) for i in (3, 4, 5))
    return _recurrent(opcode, operands, (x.shape, w.shape, r.shape), 4, 3)


def gru(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Three gates: 2 S B 3H (I + H) operations. Sizes: (S steps, B, I, H)."""
    x, w, r = (need(opcode, operands, i) for i in (2, 3, 4))
    return _recurrent(opcode, operands, (x.shape, w.shape, r.shape), 3, 2)


def _recurrent(
    opcode: str, operands: Views, shapes: tuple[tuple[int, ...], ...], gates: int, written: int
) -> Work:
    steps, batch, inputs = shapes[0]
    hidden = shapes[2][-1]
    cells = steps * batch * hidden
    return weighted(
        opcode,
        "fp32",
        (steps, batch, inputs, hidden),
        (("fp32", 2.0 * gates * cells * (inputs + hidden) + 30.0 * cells),),
        size(*operands[written + 1 : written + 4]),
        size(operands[written], *operands[written + 4 :]),
        size(*operands[:written]),
    )
