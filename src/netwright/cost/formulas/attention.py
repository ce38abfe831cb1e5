"""Attention, its cache and positions. Sizes: (queries, keys seen by one, H, G, D)."""

from __future__ import annotations

from netwright.cost.formulas.build import (
    FUNCTION_OPERATIONS,
    Parameters,
    Views,
    need,
    optional,
    parameter,
    plain,
    size,
)
from netwright.cost.work import Traffic, TrafficKind, Work


def attended(queries: int, keys: int, causal: float, window: float) -> float:
    """(query, key) pairs that count: the last query sits at the last key when causal."""
    if not causal:
        return float(queries * keys)
    first = keys - queries + 1  # keys that the first query sees
    limit = int(window) if window else keys
    if first >= 0 and keys <= limit:
        return queries * (first + keys) / 2
    return float(sum(min(max(keys - queries + i + 1, 0), limit) for i in range(queries)))


def attention(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Products q k and p v: 2 (D + E) operations a pair and head, and one exponential."""
    out, q, k, v = (need(opcode, operands, i) for i in range(4))
    queries, heads, width = q.shape[-3:]
    keys, value_width = k.shape[-3], v.shape[-1]
    batch = q.elements // max(queries * heads * width, 1)
    causal, window = parameter(opcode, parameters, 1), parameter(opcode, parameters, 2)
    pairs = batch * heads * attended(queries, keys, causal, window)
    seen = pairs / max(batch * heads * queries, 1)
    operations = 2.0 * pairs * (width + value_width) + FUNCTION_OPERATIONS * pairs
    return Work(
        opcode,
        f"{k.format},causal" if causal else k.format,
        (batch * queries, round(seen), heads, k.shape[-2], width),
        (("fp32", operations),),
        (
            Traffic(TrafficKind.CACHE, size(k, v)),
            Traffic(TrafficKind.ACTIVATIONS, size(q, optional(operands, 4)), out.num_bytes),
        ),
        size(*operands),
    )


def cache_append(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """Only the new rows move. Sizes: (elements,)."""
    cache, new = need(opcode, operands, 0), need(opcode, operands, 1)
    rows, capacity = new.shape[0], max(cache.shape[0], 1)
    written = round(cache.num_bytes / capacity * rows)
    return Work(
        opcode,
        cache.format,
        (new.elements,),
        (),
        (
            Traffic(TrafficKind.CACHE, 0, written),
            Traffic(TrafficKind.ACTIVATIONS, new.num_bytes),
        ),
        new.num_bytes + written,
    )


def rope(opcode: str, operands: Views, parameters: Parameters) -> Work:
    """6 operations a pair, and one sine and cosine for each position and pair. Sizes: (T, H, D)."""
    x = need(opcode, operands, 0)
    positions, heads, width = x.shape[-3:]
    rotary = int(parameter(opcode, parameters, 1)) or width
    pairs = x.elements // max(width, 1) * rotary / 2
    operations = 6.0 * pairs + 2 * FUNCTION_OPERATIONS * pairs / max(heads, 1)
    sizes = (positions, heads, width)
    return plain(opcode, "fp32", sizes, operations, x.num_bytes, x.num_bytes)
