"""Convolutions, pooling. Sizes: (P output places, taps, C inputs of a group, O outputs).

Outputs and places are those that the kernels really compute: whole vectors of them.
"""

from __future__ import annotations

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

LANES = 8  # of a vector; packed outputs are padded to it (native/kernels/float_pack.hpp)
FEW_INPUTS = 8  # up to so many, a row of taps is one run of inputs (native/kernels/float_conv.hpp)


def conv_packed(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """2 B O H W (C / groups) kh kw operations; variant by how the kernel walks its taps.

    "pointwise" (1x1), "window", "grouped", or "lines", whose sizes are (P, kh, kw C, O): few
    inputs, so that each row of taps is read in one run.
    """
    out, x, _ = (need(opcode, operands, i) for i in range(3))
    kh, kw, groups = (int(parameter(opcode, parameters, i)) for i in (0, 1, 8))
    inputs = x.shape[1] // max(groups, 1)
    variant, inner = "window", (kh * kw, inputs)
    if groups > 1:
        variant = "grouped"
    elif kh * kw == 1:
        variant = "pointwise"
    elif inputs <= FEW_INPUTS:
        variant, inner = "lines", (kh, kw * inputs)
    code = parameter(opcode, parameters, 9)
    operations = 2.0 * out.elements * inputs * kh * kw
    places = out.elements // max(out.shape[1], 1)
    sizes = (places, *inner, whole(out.shape[1]))
    return _conv(opcode, variant, operands, operations, sizes, code)


def whole(count: int) -> int:
    """So many elements in whole vectors."""
    return -(-count // LANES) * LANES


def conv_winograd(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Products 2 (m+2)^2 C O a tile of m x m places, and sums of the two transforms.

    Sizes: (tiles, C, O padded to 8); variant "2x2" or "4x4". A channel of a tile takes 2 (m + 2)
    vectors through B^T, an output (m + 2) + m through A^T (native/kernels/float_winograd.hpp).
    """
    out, x, _ = (need(opcode, operands, i) for i in range(3))
    m = int(parameter(opcode, parameters, 0))
    batch, outputs, height, width = out.shape
    tiles, inputs = batch * -(-height // m) * -(-width // m), x.shape[1]
    side = m + 2
    products = 2.0 * tiles * side * side * inputs * outputs
    into, back = _ROW_OPERATIONS.get(m, _ROW_OPERATIONS[4])
    sums = tiles * (2.0 * side * into * inputs + (side + m) * back * outputs)
    code = function_operations(parameter(opcode, parameters, 3), out.elements)
    return weighted(
        opcode,
        f"{m}x{m}",
        (tiles, inputs, -(-outputs // 8) * 8),
        (("fp32", products + sums + code),),
        size(operands[2], optional(operands, 3)),
        size(x, optional(operands, 4)),
        out.num_bytes,
    )


# Of one row of inputs through B^T and of sums through A^T, by m; multiply-adds count twice.
_ROW_OPERATIONS = {2: (4.0, 4.0), 4: (20.0, 13.0)}


def conv_depthwise(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """2 B C H W kh kw operations. Sizes: (P, taps, C); variant "unit" or "strided"."""
    out, x = need(opcode, operands, 0), need(opcode, operands, 1)
    kh, kw, stride, across, pad = (int(parameter(opcode, parameters, i)) for i in range(5))
    dilation = int(parameter(opcode, parameters, 6))
    inner, code = kh * kw, parameter(opcode, parameters, 8)
    variant = "unit" if across == 1 else "strided"
    batch, channels, height, width = out.shape
    # Rows of taps that lie above or below the image are left out.
    met = sum(
        0 <= y * stride - pad + i * dilation < x.shape[2] for y in range(height) for i in range(kh)
    )
    taps = round(kw * met / max(height, 1))
    sizes = (batch * height * whole(width), taps, whole(channels))
    return _conv(opcode, variant, operands, 2.0 * out.elements * inner, sizes, code)


def conv_transpose(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """2 B C H W (O / groups) kh kw operations over the input's places."""
    out, x, _ = (need(opcode, operands, i) for i in range(3))
    kh, kw, groups = (int(parameter(opcode, parameters, i)) for i in (0, 1, 8))
    inputs = x.shape[1] // max(groups, 1)
    operations = 2.0 * x.elements * (out.shape[1] // max(groups, 1)) * kh * kw
    code = parameter(opcode, parameters, 9)
    sizes = (out.elements // max(out.shape[1], 1), kh * kw, inputs, out.shape[1])
    return _conv(opcode, "fp32", operands, operations, sizes, code)


def _conv(
    opcode: str,
    variant: str,
    operands: Views,
    operations: float,
    sizes: tuple[int, ...],
    function_code: float,
) -> Work:
    out, x, weight = (need(opcode, operands, i) for i in range(3))
    return weighted(
        opcode,
        variant,
        sizes,
        (("fp32", operations + function_operations(function_code, out.elements)),),
        size(weight, optional(operands, 3)),
        size(x, optional(operands, 4)),
        out.num_bytes,
    )


def pool(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """One operation for each element of each window. Sizes: (P places, window, C)."""
    out, x = need(opcode, operands, 0), need(opcode, operands, 1)
    window = int(parameter(opcode, parameters, 1) * parameter(opcode, parameters, 2))
    sizes = (out.elements // max(out.shape[1], 1), window, out.shape[1])
    return plain(opcode, "fp32", sizes, float(out.elements * window), x.num_bytes, out.num_bytes)


def resize(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Nothing to compute for nearest, 8 operations an output for linear. Sizes: (elements,)."""
    out, x = need(opcode, operands, 0), need(opcode, operands, 1)
    linear = parameter(opcode, parameters, 0) != 0
    operations = 8.0 * out.elements if linear else 0.0
    variant = "linear" if linear else "nearest"
    return plain(opcode, variant, (out.elements,), operations, x.num_bytes, out.num_bytes)
