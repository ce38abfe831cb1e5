"""Every format by name."""

from __future__ import annotations

from netwright.errors import UnsupportedError
from netwright.graph.format.base import Format
from netwright.graph.format.float import BF16, FP16, FP32, FP64
from netwright.graph.format.gguf_block32 import Q4_0, Q4_1, Q5_0, Q5_1, Q8_0
from netwright.graph.format.gguf_k_affine import Q2_K, Q4_K, Q5_K
from netwright.graph.format.gguf_k_symmetric import Q3_K, Q6_K
from netwright.graph.format.gguf_ternary import TQ1_0, TQ2_0
from netwright.graph.format.integer import BOOL, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32

FORMATS: tuple[Format, ...] = (
    FP64,
    FP32,
    FP16,
    BF16,
    INT8,
    INT16,
    INT32,
    INT64,
    UINT8,
    UINT16,
    UINT32,
    BOOL,
    Q4_0(),
    Q4_1(),
    Q5_0(),
    Q5_1(),
    Q8_0(),
    Q2_K(),
    Q3_K(),
    Q4_K(),
    Q5_K(),
    Q6_K(),
    TQ1_0(),
    TQ2_0(),
)

_BY_NAME = {form.name: form for form in FORMATS}


def format_of(name: str) -> Format:
    """The format of this name.

    Raises:
        UnsupportedError: there is none; the message lists those that there are.
    """
    form = _BY_NAME.get(name)
    if form is None:
        known = ", ".join(_BY_NAME)
        raise UnsupportedError(f"no number format is called {name!r}; known: {known}")
    return form
