"""Every ONNX operator that is covered, and who reads it."""

from __future__ import annotations

import difflib

from netwright.errors import UnsupportedError
from netwright.frontends import (
    onnx_create,
    onnx_elementwise,
    onnx_integer,
    onnx_layers,
    onnx_movement,
    onnx_quantise,
    onnx_reduce,
    onnx_spatial,
)
from netwright.frontends.onnx_call import Reader
from netwright.frontends.onnx_file import OnnxNode

OPERATORS: dict[str, Reader] = {
    **onnx_create.READERS,
    **onnx_elementwise.READERS,
    **onnx_integer.READERS,
    **onnx_layers.READERS,
    **onnx_movement.READERS,
    **onnx_quantise.READERS,
    **onnx_reduce.READERS,
    **onnx_spatial.READERS,
}

_REMEDIES = {
    "Loop": "export with static shapes, so that the loop is unrolled",
    "Scan": "export with static shapes, so that the scan is unrolled",
    "RNN": "use an LSTM or a GRU",
    "Einsum": "export it as MatMul and Transpose",
    "NonMaxSuppression": "cut the network before it, and select boxes outside",
}


def reader_of(node: OnnxNode, label: str, opset: int) -> Reader:
    """Who reads this node.

    Raises:
        UnsupportedError: nobody does; the message says what would help.
    """
    if node.domain == "":
        found = OPERATORS.get(node.operator)
    elif node.domain in onnx_quantise.QONNX_DOMAINS:
        found = onnx_quantise.QONNX_READERS.get(node.operator)
    else:
        found = None
    if found is not None:
        return found
    operator = f"{node.domain}.{node.operator}" if node.domain else node.operator
    raise UnsupportedError(
        f"node {label!r}: operator {operator} (opset {opset}) is not supported; {_remedy(node)}"
    )


def _remedy(node: OnnxNode) -> str:
    if node.operator in _REMEDIES:
        return _REMEDIES[node.operator]
    if node.domain:
        return "export with standard operators (without optimisations of one runtime)"
    close = difflib.get_close_matches(node.operator, OPERATORS, n=1)
    if close:
        return f"express it with operators that are (did you mean {close[0]}?)"
    return "express it with operators that are, or cut the network before it"
