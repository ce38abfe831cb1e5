"""References of token models' opcodes: rows, products, positions, attention."""

from __future__ import annotations

import numpy as np

from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Glu
from netwright.graph.ops.norm import RmsNorm
from netwright.graph.ops.position import Rope
from netwright.program.reference.call import Array, Call
from netwright.program.reference.codes import codes_product, unpack_codes
from netwright.program.reference.lookup import lookup_product, unpack_lookup
from netwright.program.reference.packed import unpack


def gather_rows(call: Call) -> tuple[Array, ...]:
    """Rows of a table times a scale; ids are clamped."""
    table, ids = call.given(0), call.given(1)
    return (table[np.clip(ids, 0, len(table) - 1)] * call.real(0),)


def rms_norm(call: Call) -> tuple[Array, ...]:
    """RmsNorm; the format written decides whether it quantises."""
    return RmsNorm(call.real(0)).reference((call.given(0), call.given(1)))


def quantize_rows(call: Call) -> tuple[Array, ...]:
    """The values themselves: writing them quantises."""
    return (call.given(0),)


def matmul(call: Call) -> tuple[Array, ...]:
    """f(x w^T + bias + residual), the weight in any format."""
    return (call.finish(call.given(0) @ call.given(1).T, 2, 3, 0),)


def gemm_packed(call: Call) -> tuple[Array, ...]:
    """As `matmul` with the weight in panels."""
    inputs, outputs = call.pair(0)
    weight = unpack(call.given(1), outputs, inputs, 1, 1)[0, :, :, 0]
    return (call.finish(call.given(0) @ weight.T, 2, 3, 2),)


def matmul_lookup(call: Call) -> tuple[Array, ...]:
    """As `matmul` with tables for activations and bit planes for weights."""
    inputs, outputs = call.pair(0)
    codes, scales = unpack_lookup(call.given(1), outputs, inputs, call.whole(2))
    product = lookup_product(call.given(0), codes, scales, call.whole(2), call.whole(3))
    return (call.finish(product, 2, 3, 4),)


def matmul_codes(call: Call) -> tuple[Array, ...]:
    """f(scale * sum + bias), the sum of products that a table has for two codes of two bits."""
    inputs, outputs = call.pair(0)
    codes = unpack_codes(call.given(1), outputs, inputs)
    product = codes_product(call.given(0), codes, call.pair(2)) * call.given(2)
    return (call.finish(product, 3, 4, 4),)


def matmul_batched(call: Call) -> tuple[Array, ...]:
    """A b times a scale, broadcast over leading dims."""
    return ((call.given(0) @ call.given(1)) * call.real(0),)


def glu(call: Call) -> tuple[Array, ...]:
    """f(gate) * up."""
    return Glu(call.function(0)).reference((call.given(0), call.given(1)))


def rope(call: Call) -> tuple[Array, ...]:
    """Rotary embedding in place."""
    kind = Rope(call.real(0), call.whole(1), call.whole(2), bool(call.whole(3)))
    return kind.reference((call.given(0), call.optional(1)))


def cache_append(call: Call) -> tuple[Array, ...]:
    """The cache with new rows from `start` on."""
    cache, new, start = call.given(0).copy(), call.given(1), call.whole(0)
    cache[start : start + len(new)] = new
    return (cache,)


def attention(call: Call) -> tuple[Array, ...]:
    """Grouped-query attention; window and softcap 0 are none."""
    kind = Attention(call.real(0), bool(call.whole(1)), call.whole(2) or None, call.real(3) or None)
    return kind.reference((call.given(0), call.given(1), call.given(2), call.optional(3)))
