"""Every format by name."""

from __future__ import annotations

import re
from collections.abc import Callable

from netwright.errors import UnsupportedError
from netwright.graph.format.base import Format
from netwright.graph.format.block_float import (
    MXFP4,
    MXFP6_E2M3,
    MXFP6_E3M2,
    MXFP8_E4M3FN,
    MXFP8_E5M2,
    BlockFloat,
)
from netwright.graph.format.float import BF16, FP16, FP32, FP64, Float
from netwright.graph.format.gguf_block32 import Q4_0, Q4_1, Q5_0, Q5_1, Q8_0
from netwright.graph.format.gguf_k_affine import Q2_K, Q4_K, Q5_K
from netwright.graph.format.gguf_k_symmetric import Q3_K, Q6_K
from netwright.graph.format.gguf_ternary import TQ1_0, TQ2_0
from netwright.graph.format.group import AffineGroup, SymmetricGroup
from netwright.graph.format.integer import BOOL, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32
from netwright.graph.format.minifloat import FP4_E2M1, FP6_E2M3, FP6_E3M2, FP8_E4M3FN, FP8_E5M2
from netwright.graph.format.normal_float import NF4
from netwright.graph.format.power_of_two import PowerOfTwo
from netwright.graph.format.spike import Spike
from netwright.graph.format.ternary import Ternary

FORMATS: tuple[Format, ...] = (
    FP64,
    FP32,
    FP16,
    BF16,
    FP8_E4M3FN,
    FP8_E5M2,
    FP6_E3M2,
    FP6_E2M3,
    FP4_E2M1,
    INT8,
    INT16,
    INT32,
    INT64,
    UINT8,
    UINT16,
    UINT32,
    BOOL,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    TQ1_0,
    TQ2_0,
    *(SymmetricGroup(bits, group, FP16) for bits in (8, 4) for group in (32, 64, 128)),
    *(SymmetricGroup(bits, group, FP32) for bits in (8, 4) for group in (32, 64, 128)),
    *(AffineGroup(bits, group, FP16) for bits in (8, 4) for group in (32, 64, 128)),
    *(AffineGroup(bits, group, FP32) for bits in (8, 4) for group in (32, 64, 128)),
    NF4(),
    MXFP8_E4M3FN,
    MXFP8_E5M2,
    MXFP6_E3M2,
    MXFP6_E2M3,
    MXFP4,
    BlockFloat(8, 32),
    BlockFloat(6, 16),
    BlockFloat(4, 16),
    PowerOfTwo(4, 32),
    PowerOfTwo(3, 64),
    Ternary(64),
    Ternary(128),
    Spike(),
)

_BY_NAME = {form.name: form for form in FORMATS}

# Families whose sizes are free; FORMATS lists only their customary members.
_FAMILIES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Format]], ...] = (
    (
        re.compile(r"int([0-9])_g([0-9]{1,7})_fp(16|32)"),
        lambda m: SymmetricGroup(int(m[1]), int(m[2]), Float(int(m[3]))),
    ),
    (
        re.compile(r"uint([0-9])_g([0-9]{1,7})_fp(16|32)"),
        lambda m: AffineGroup(int(m[1]), int(m[2]), Float(int(m[3]))),
    ),
    (
        re.compile(r"bfp([0-9]{1,2})_b([0-9]{1,7})"),
        lambda m: BlockFloat(int(m[1]), int(m[2])),
    ),
    (
        re.compile(r"pow2_([0-9])_b([0-9]{1,7})"),
        lambda m: PowerOfTwo(int(m[1]), int(m[2])),
    ),
    (re.compile(r"ternary_g([0-9]{1,7})"), lambda m: Ternary(int(m[1]))),
)


def format_of(name: str) -> Format:
    """The format of this name: one of FORMATS, or a member of a family with other sizes.

    Raises:
        UnsupportedError: there is none; the message lists those that there are.
        FormatError: a family has no such member ("bfp99_b32").
    """
    if form := _BY_NAME.get(name):
        return form
    for pattern, build in _FAMILIES:
        if match := pattern.fullmatch(name):
            return build(match)
    known = ", ".join(_BY_NAME)
    raise UnsupportedError(
        f"no number format is called {name!r}; known: {known}; the numbers after int, uint, bfp, "
        "pow2 and ternary may differ"
    )
