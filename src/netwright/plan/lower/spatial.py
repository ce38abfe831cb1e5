"""Convolution, pooling, resizing: channels-last, weights packed at plan time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.graph.op import Op
from netwright.graph.ops.conv import Conv, ConvTranspose
from netwright.graph.ops.pool import Pool
from netwright.graph.ops.resize import COORDINATE_CODES, ROUNDING_CODES, Resize
from netwright.graph.tensor import TensorId
from netwright.native import core
from netwright.plan.lower.conv_offers import conv_offers
from netwright.plan.lower.emitter import Emitter, unsupported
from netwright.plan.lower.epilogue import epilogue
from netwright.plan.lower.layout import channels_last, fresh_channels_last
from netwright.plan.lower.step import Parameter, View

RESIZE_MODES = ("nearest", "linear")


def _two(values: tuple[int, ...], missing: int) -> list[int]:
    """A pair for height and width; a 1-D operator has height 1."""
    return [missing, *values] if len(values) == 1 else list(values)


def _weights(
    emitter: Emitter,
    weight: TensorId,
    label: str,
    make: Callable[[NDArray[np.float32]], NDArray[Any]],
    form: str,
) -> View:
    def made() -> NDArray[Any]:
        array = np.ascontiguousarray(emitter.array(weight), np.float32)
        return make(array[:, :, None, :] if array.ndim == 3 else array)

    return emitter.cached_constant((label, weight), made, form, emitter.graph[weight].name)


def lower_conv(emitter: Emitter, op: Op) -> None:
    """Conv: depthwise in its own kernel, everything else as an implicit matrix product."""
    assert isinstance(op.kind, Conv)
    kind = op.kind
    x, weight, bias, residual = (*op.inputs, None, None)[:4]
    assert x is not None and weight is not None
    if not emitter.is_constant(weight):
        raise unsupported(op, "its weight is computed")
    image = channels_last(emitter, emitter.read(x), op.name)
    outputs, _, *kernel = (emitter.most(e) for e in emitter.graph[weight].shape)
    window: list[Parameter] = [
        *_two(tuple(kernel), 1),
        *_two(kind.strides, 1),
        *_two(tuple(p[0] for p in kind.pads), 0),
        *_two(kind.dilations, 1),
    ]
    shape = emitter.graph[op.outputs[0]].shape
    view, out = fresh_channels_last(emitter, shape, op.name)
    added = None if bias is None else emitter.read(bias)
    kept = None if residual is None else channels_last(emitter, emitter.read(residual), op.name)
    emitter.views[op.outputs[0]] = view
    channels = image.shape[1]
    depthwise = kind.groups == channels == outputs and kind.groups > 1
    per_output = 1 if depthwise else emitter.most(channels) // kind.groups
    work = float(emitter.size_of(shape, 1)) * np.prod(kernel) * per_output
    if depthwise:
        table = _weights(emitter, weight, "depthwise", _depthwise, "fp32")
        emitter.emit(
            "conv_depthwise", [out], [image, table, added, kept],
            [*window, *epilogue(kind.function)], op.name, work,
        )  # fmt: skip
        return
    emitter.emit_best(conv_offers(emitter, op, (out, image, added, kept), window, work))


def _depthwise(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    outputs, _, height, width = weight.shape
    return np.ascontiguousarray(weight.reshape(outputs, height * width).T)


def lower_conv_transpose(emitter: Emitter, op: Op) -> None:
    """ConvTranspose."""
    assert isinstance(op.kind, ConvTranspose)
    kind = op.kind
    x, weight, bias = (*op.inputs, None)[:3]
    assert x is not None and weight is not None
    if not emitter.is_constant(weight):
        raise unsupported(op, "its weight is computed")
    image = channels_last(emitter, emitter.read(x), op.name)
    kernel = tuple(emitter.most(e) for e in emitter.graph[weight].shape[2:])
    groups = kind.groups
    steps = _two(kind.strides, 1), _two(kind.dilations, 1)
    table = _weights(
        emitter,
        weight,
        f"transpose {steps}",
        lambda w: core.pack_conv_transpose(w, *steps, groups),
        "bytes",
    )
    shape = emitter.graph[op.outputs[0]].shape
    view, out = fresh_channels_last(emitter, shape, op.name)
    emitter.views[op.outputs[0]] = view
    work = float(emitter.size_of(image.shape, 1)) * np.prod(kernel) * emitter.most(out.shape[1])
    emitter.emit(
        "conv_transpose",
        [out],
        [image, table, None if bias is None else emitter.read(bias), None],
        [
            *_two(kernel, 1),
            *_two(kind.strides, 1),
            *_two(tuple(p[0] for p in kind.pads), 0),
            *_two(kind.dilations, 1),
            groups,
            *epilogue(kind.function),
        ],
        op.name,
        work / groups,
    )


def lower_pool(emitter: Emitter, op: Op) -> None:
    """Pool."""
    assert isinstance(op.kind, Pool) and op.inputs[0] is not None
    kind = op.kind
    image = channels_last(emitter, emitter.read(op.inputs[0]), op.name)
    shape = emitter.graph[op.outputs[0]].shape
    view, out = fresh_channels_last(emitter, shape, op.name)
    emitter.views[op.outputs[0]] = view
    emitter.emit(
        "pool",
        [out],
        [image],
        [
            ("max", "average").index(kind.mode),
            *_two(kind.kernel, 1),
            *_two(kind.strides, 1),
            *_two(tuple(p[0] for p in kind.pads), 0),
            *_two(kind.dilations, 1),
            int(kind.count_include_pad),
        ],
        op.name,
        float(emitter.size_of(shape, 1)) * np.prod(kind.kernel),
    )


def lower_resize(emitter: Emitter, op: Op) -> None:
    """Resize of the spatial dims."""
    assert isinstance(op.kind, Resize) and op.inputs[0] is not None
    kind = op.kind
    if kind.mode not in RESIZE_MODES or kind.coordinates not in COORDINATE_CODES:
        raise unsupported(op, f"no kernel for mode {kind.mode!r} with {kind.coordinates!r}")
    image = channels_last(emitter, emitter.read(op.inputs[0]), op.name)
    shape = emitter.graph[op.outputs[0]].shape
    if tuple(shape[:2]) != tuple(image.shape[:2]):
        raise unsupported(op, "it resizes batch or channels")
    view, out = fresh_channels_last(emitter, shape, op.name)
    emitter.views[op.outputs[0]] = view
    scales = [1.0, *kind.scales[2:]] if len(shape) == 3 else list(kind.scales[2:])
    emitter.emit(
        "resize",
        [out],
        [image],
        [
            RESIZE_MODES.index(kind.mode),
            COORDINATE_CODES[kind.coordinates],
            ROUNDING_CODES[kind.rounding],
            float(scales[0]),
            float(scales[1]),
        ],
        op.name,
        float(emitter.size_of(shape, 4)),
    )
