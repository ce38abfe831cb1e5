"""The values of a constant of an ONNX file, as a numpy array."""

from __future__ import annotations

import numpy as np

from netwright.errors import UnsupportedError
from netwright.frontends.onnx_tensor import OnnxTensor
from netwright.frontends.onnx_types import ELEMENT_TYPES, Array, decode, type_name
from netwright.graph.tensor import ArrayData, FileData


def tensor_array(tensor: OnnxTensor) -> Array:
    """The values [dims] in the element type's own numpy type (bfloat16 as float32), read-only.

    Raises:
        UnsupportedError: the element type is not one that we compute with.
    """
    element = ELEMENT_TYPES.get(tensor.type_code)
    if element is None or tensor.data is None:
        raise UnsupportedError(
            f"tensor {tensor.name!r}: elements of type {type_name(tensor.type_code)} are not "
            "supported; cast the tensor to a number type when exporting"
        )
    return decode(data_bytes(tensor.data), element, tensor.dims)


def data_bytes(data: FileData | ArrayData) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The raw bytes; those of a file are mapped, not read."""
    if isinstance(data, ArrayData):
        return data.raw
    if data.size_bytes == 0:
        return np.empty(0, dtype=np.uint8)
    shape = (data.size_bytes,)
    return np.asarray(np.memmap(data.path, np.uint8, "r", data.offset_bytes, shape))
