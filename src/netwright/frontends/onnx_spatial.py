"""ONNX operators over spatial dims → Conv, ConvTranspose, Pool, Resize."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.frontends.onnx_call import Call, Reader
from netwright.frontends.onnx_value import Value
from netwright.graph.ops.conv import Conv, ConvTranspose
from netwright.graph.ops.pool import Pool, Resize
from netwright.graph.ops.reduce import Reduce

Pads = tuple[tuple[int, int], ...]


def _spatial(call: Call, name: str, rank: int, default: int) -> tuple[int, ...]:
    """An attribute with one integer a spatial dim."""
    found = call.integers(name) or (default,) * rank
    if len(found) != rank or not 1 <= rank <= 2:
        raise call.unsupported(f"{rank} spatial dims with {name} {found}", "1 or 2 are covered")
    return found


def _pads(
    call: Call, sizes: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...],
    dilations: tuple[int, ...],
) -> Pads:  # fmt: skip
    """(before, after) of every spatial dim, from `pads` or `auto_pad`."""
    rank = len(kernel)
    mode = call.text("auto_pad", "NOTSET")
    if mode == "VALID":
        return ((0, 0),) * rank
    if mode == "NOTSET":
        flat = call.integers("pads") or (0,) * (2 * rank)
        if len(flat) != 2 * rank:
            raise call.malformed(f"got {len(flat)} pads, expected {2 * rank}")
        return tuple(zip(flat[:rank], flat[rank:], strict=True))
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise call.malformed(f"attribute 'auto_pad': got {mode!r}")
    pads: list[tuple[int, int]] = []
    for size, k, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        total = max((-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        small, large = total // 2, total - total // 2
        pads.append((small, large) if mode == "SAME_UPPER" else (large, small))
    return tuple(pads)


def _conv(call: Call) -> Sequence[Value]:
    return (convolution(call, call.value(0), call.value(1), _bias(call)),)


def convolution(call: Call, x: Value, weight: Value, bias: tuple[Value, ...]) -> Value:
    """A convolution with the node's attributes."""
    rank = len(x.shape) - 2
    strides = _spatial(call, "strides", rank, 1)
    dilations = _spatial(call, "dilations", rank, 1)
    kernel = weight.shape[2:]
    if len(kernel) != rank:
        raise call.malformed(f"a weight of shape {weight.shape} for an input of {x.shape}")
    pads = _pads(call, x.shape[2:], kernel, strides, dilations)
    kind = Conv(strides, pads, dilations, call.integer("group", 1))
    return call.add(kind, x, weight, *bias)


def _bias(call: Call) -> tuple[Value, ...]:
    bias = call.optional(2)
    return () if bias is None else (bias,)


def _conv_transpose(call: Call) -> Sequence[Value]:
    x, weight = call.value(0), call.value(1)
    rank = len(x.shape) - 2
    strides = _spatial(call, "strides", rank, 1)
    dilations = _spatial(call, "dilations", rank, 1)
    extra = _spatial(call, "output_padding", rank, 0)
    wanted = call.integers("output_shape")
    same = call.text("auto_pad", "NOTSET").startswith("SAME")
    if same and wanted is None:
        wanted = tuple(n * s for n, s in zip(x.shape[2:], strides, strict=True))
    if wanted is None:
        pads = _pads(call, x.shape[2:], weight.shape[2:], strides, dilations)
    else:
        plain = ConvTranspose(strides, ((0, 0),) * rank, dilations, extra)
        pads, extra = _output_pads(call, plain, wanted[-rank:])
    kind = ConvTranspose(strides, pads, dilations, extra, call.integer("group", 1))
    return (call.add(kind, x, weight, *_bias(call)),)


def _output_pads(
    call: Call, plain: ConvTranspose, wanted: tuple[int, ...]
) -> tuple[Pads, tuple[int, ...]]:
    """Pads and output padding that give the wanted size; `auto_pad` says where the odd one goes."""
    pads: list[tuple[int, int]] = []
    extra: list[int] = []
    for axis, out in enumerate(wanted):
        size, kernel = call.value(0).shape[2 + axis], call.value(1).shape[2 + axis]
        reach = (kernel - 1) * plain.dilations[axis] + 1
        over = (size - 1) * plain.strides[axis] + plain.output_padding[axis] + reach - out
        small, large = max(over, 0) // 2, max(over, 0) - max(over, 0) // 2
        upper = call.text("auto_pad", "NOTSET") == "SAME_UPPER"
        pads.append((small, large) if upper else (large, small))
        extra.append(plain.output_padding[axis] + max(-over, 0))
    return tuple(pads), tuple(extra)


def _pool(mode: str) -> Reader:
    def read(call: Call) -> Sequence[Value]:
        x = call.value(0)
        rank = len(x.shape) - 2
        kernel = _spatial(call, "kernel_shape", rank, 1)
        strides = _spatial(call, "strides", rank, 1)
        dilations = _spatial(call, "dilations", rank, 1)
        if any(call.node.outputs[1:]):
            raise call.unsupported("the output of indices", "only the pooled values are covered")
        kind = Pool(
            mode,
            kernel,
            strides,
            _pads(call, x.shape[2:], kernel, strides, dilations),
            dilations,
            bool(call.integer("count_include_pad", 0)),
            bool(call.integer("ceil_mode", 0)),
        )
        return (call.add(kind, x),)

    return read


def _global_pool(function: str) -> Reader:
    def read(call: Call) -> Sequence[Value]:
        x = call.value(0)
        axes = tuple(range(2, len(x.shape)))
        return (call.add(Reduce(function, axes, keepdims=True), x),)

    return read


def _resize(call: Call) -> Sequence[Value]:
    """Opset 10 has only scales, asymmetric coordinates and rounding down."""
    old = call.opset < 11
    x = call.value(0)
    scales = _numbers(call, 1 if old else 2)
    sizes = None if old else call.sizes(3)
    if call.integers("axes") is not None or call.integer("antialias", 0):
        raise call.unsupported("axes or antialias", "give sizes of all dims, without antialias")
    if call.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise call.unsupported("keep_aspect_ratio_policy", "give the final sizes")
    coordinates = "asymmetric" if old else call.text("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if old else call.text("nearest_mode", "round_prefer_floor")
    return (_resized(call, x, scales, sizes, (coordinates, rounding)),)


def _upsample(call: Call) -> Sequence[Value]:
    scales = call.numbers("scales") if call.opset < 9 else _numbers(call, 1)
    return (_resized(call, call.value(0), scales, None, ("asymmetric", "floor")),)


def _numbers(call: Call, index: int) -> tuple[float, ...] | None:
    values = call.constant(index)
    return tuple(values.reshape(-1).tolist()) if values is not None and values.size else None


def _resized(
    call: Call, x: Value, scales: tuple[float, ...] | None, sizes: tuple[int, ...] | None,
    rule: tuple[str, str],
) -> Value:  # fmt: skip
    mode = call.text("mode", "nearest")
    if mode not in ("nearest", "linear"):
        raise call.unsupported(f"mode {mode!r}", "use nearest or linear")
    if rule[0] not in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
        raise call.unsupported(f"coordinates {rule[0]!r}", "use half_pixel or asymmetric")
    if sizes:
        scales = tuple(out / size for out, size in zip(sizes, x.shape, strict=True))
    elif scales and len(scales) == len(x.shape):
        sizes = tuple(int(size * scale) for size, scale in zip(x.shape, scales, strict=True))
    else:
        raise call.malformed(f"got scales {scales}, expected one a dim, or sizes")
    return call.add(Resize(sizes, scales, mode, *rule), x)


READERS: dict[str, Reader] = {
    "AveragePool": _pool("average"),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_pool("mean"),
    "GlobalMaxPool": _global_pool("max"),
    "MaxPool": _pool("max"),
    "Resize": _resize,
    "Upsample": _upsample,
}
