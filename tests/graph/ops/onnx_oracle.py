"""One ONNX operator run by ONNX Runtime or by onnx.reference: the oracle of our references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from netwright.graph.op import Array

OPSET = 19


def _model(
    op: str, arrays: Sequence[Array | None], outputs: int, attributes: dict[str, Any], opset: int
) -> onnx.ModelProto:
    names = ["" if a is None else f"i{n}" for n, a in enumerate(arrays)]
    made = [f"o{n}" for n in range(outputs)]
    node = onnx.helper.make_node(op, names, made, **attributes)
    inputs = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape
        )
        for name, a in zip(names, arrays, strict=True)
        if a is not None
    ]
    graph = onnx.helper.make_graph(
        [node], "one", inputs, [onnx.helper.make_empty_tensor_value_info(n) for n in made]
    )
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=9
    )


def _feed(arrays: Sequence[Array | None]) -> dict[str, Array]:
    return {f"i{n}": a for n, a in enumerate(arrays) if a is not None}


def by_reference(
    op: str, *arrays: Array | None, outputs: int = 1, opset: int = OPSET, **attributes: Any
) -> list[Array]:
    """Run by onnx.reference, in the precision of the arrays."""
    model = _model(op, arrays, outputs, attributes, opset)
    return [np.asarray(a) for a in ReferenceEvaluator(model).run(None, _feed(arrays))]


def by_runtime(
    op: str, *arrays: Array | None, outputs: int = 1, opset: int = OPSET, **attributes: Any
) -> list[Array]:
    """Run by ONNX Runtime, floats in float32."""
    narrow = [
        a.astype(np.float32) if a is not None and a.dtype == np.float64 else a for a in arrays
    ]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = _model(op, narrow, outputs, attributes, opset).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, _feed(narrow))
