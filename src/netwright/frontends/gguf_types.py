"""The codes of a GGUF file: metadata value types and tensor types.

Source: the GGUF specification and `ggml_type` in ggml.h (github.com/ggml-org/ggml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

MAGIC: Final = b"GGUF"
DEFAULT_ALIGNMENT_BYTES: Final = 32

# Metadata value types.
STRING: Final = 8
ARRAY: Final = 9
BOOL: Final = 7
FLOAT32: Final = 6

# Value type → struct format of one little-endian value.
SCALARS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "<B",
        1: "<b",
        2: "<H",
        3: "<h",
        4: "<I",
        5: "<i",
        6: "<f",
        7: "<B",
        10: "<Q",
        11: "<q",
        12: "<d",
    }
)


@final
@dataclass(frozen=True, slots=True)
class TensorType:
    """One ggml tensor type: our format's name, and the size of one block."""

    code: int
    format: str
    block_elements: int
    block_bytes: int


def _table() -> Mapping[int, TensorType]:
    rows = (
        (0, "fp32", 1, 4),
        (1, "fp16", 1, 2),
        (2, "q4_0", 32, 18),
        (3, "q4_1", 32, 20),
        (6, "q5_0", 32, 22),
        (7, "q5_1", 32, 24),
        (8, "q8_0", 32, 34),
        (10, "q2_k", 256, 84),
        (11, "q3_k", 256, 110),
        (12, "q4_k", 256, 144),
        (13, "q5_k", 256, 176),
        (14, "q6_k", 256, 210),
        (16, "iq2_xxs", 256, 66),
        (17, "iq2_xs", 256, 74),
        (18, "iq3_xxs", 256, 98),
        (19, "iq1_s", 256, 50),
        (20, "iq4_nl", 32, 18),
        (21, "iq3_s", 256, 110),
        (22, "iq2_s", 256, 82),
        (23, "iq4_xs", 256, 136),
        (24, "int8", 1, 1),
        (25, "int16", 1, 2),
        (26, "int32", 1, 4),
        (27, "int64", 1, 8),
        (28, "fp64", 1, 8),
        (29, "iq1_m", 256, 56),
        (30, "bf16", 1, 2),
        (34, "tq1_0", 256, 54),
        (35, "tq2_0", 256, 66),
        (39, "mxfp4", 32, 17),
    )
    return MappingProxyType({row[0]: TensorType(*row) for row in rows})


TENSOR_TYPES: Final[Mapping[int, TensorType]] = _table()
TENSOR_TYPE_OF_FORMAT: Final[Mapping[str, TensorType]] = MappingProxyType(
    {t.format: t for t in TENSOR_TYPES.values()}
)
