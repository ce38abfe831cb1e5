"""Cycles of matrix products on a systolic array: what flows in a cycle a row, edges included.

A product of M x K by K x N on R rows and C columns, one fold of the array after the other:
weights stay: ceil(K/R) ceil(N/C) (2R + C + M - 2);
inputs stay: ceil(K/R) ceil(M/C) (2R + C + N - 2);
outputs stay: ceil(M/R) ceil(N/C) (R + C + K - 2).
Source: Samajdar et al., SCALE-Sim, ISPASS 2020, as SCALE-Sim 3.0.0 counts (it prints one less: its
last cycle has the number cycles - 1). "2R + C + T - 2 for all dataflows" is wrong for outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from netwright.cost.nest import Nest


@final
@dataclass(frozen=True, slots=True)
class Product:
    """`groups` independent products of M x K by K x N."""

    m: int
    k: int
    n: int
    groups: int = 1


def product_of(nest: Nest) -> Product:
    """A nest as products of matrices: windows are laid out as rows (im2col)."""
    sizes = {"places": 1, "units": 1, "channels": 1, "kernel": 1, "groups": 1}
    for loop, size in enumerate(nest.sizes):
        sizes[nest.dim_class(loop)] *= size
    return Product(
        sizes["places"], sizes["channels"] * sizes["kernel"], sizes["units"], sizes["groups"]
    )


def systolic_cycles(product: Product, rows: int, columns: int, dataflow: str) -> int:
    """Cycles of all folds; `dataflow` is what stays: "weights", "inputs" or "outputs"."""
    m, k, n = product.m, product.k, product.n
    if dataflow == "outputs":
        folds = math.ceil(m / rows) * math.ceil(n / columns)
        each = rows + columns + k - 2
    elif dataflow == "inputs":
        folds = math.ceil(k / rows) * math.ceil(m / columns)
        each = 2 * rows + columns + n - 2
    else:
        folds = math.ceil(k / rows) * math.ceil(n / columns)
        each = 2 * rows + columns + m - 2
    return product.groups * folds * each
