"""Edits of an ONNX file's messages by reflection: the wire stays right, so the graph is read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor

from .mutate import mutate

_INTEGERS = (
    0,
    1,
    -1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    64,
    255,
    2**20,
    2**31 - 1,
    2**31,
    2**40,
    2**62,
    -(2**62),
    2**63 - 1,
    -(2**63),
)
_FLOATS = (0.0, -0.0, 0.5, 1.0, -1.0, 1e-45, 1e38, float("inf"), -float("inf"), float("nan"))
_OPERATORS = (
    "Abs", "Add", "And", "ArgMax", "AveragePool", "Cast", "Ceil", "Clip", "Concat", "Constant",
    "ConstantOfShape",
    "ConvInteger", "CumSum", "DepthToSpace", "DequantizeLinear", "Div", "Einsum", "Equal", "Erf",
    "Exp", "Expand", "EyeLike",
    "Flatten", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm", "GlobalMaxPool",
    "HardSigmoid", "HardSwish", "Identity",
    "If", "InstanceNormalization", "IsNaN", "LeakyRelu", "Log", "LogSoftmax", "Loop",
    "LpNormalization", "LRN", "LSTM", "MatMul",
    "Max", "Min", "Mod", "Mul", "Neg", "NonZero", "Not", "OneHot", "Or", "PRelu", "Pad", "Pow",
    "QuantizeLinear", "RNN", "Range",
    "Reciprocal", "ReduceL2", "ReduceMax", "ReduceSum", "Relu", "Reshape", "Resize", "Scan",
    "ScatterND", "Shape", "Sigmoid", "Sign",
    "Size", "Slice", "Softmax", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh",
    "Tile", "TopK", "Transpose",
    "Trilu", "Unsqueeze", "Upsample", "Where", "Quant", "BipolarQuant",
)  # fmt: skip
_STRINGS = ("", "x", "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "linear", "nearest", "cubic",
    "half_pixel", "asymmetric",
            "align_corners", "reflect", "edge", "wrap", "constant", "reverse", "bidirectional",
            "ij,jk->ik", "ii->i", "a" * 300)  # fmt: skip


@lru_cache(maxsize=8)
def _parsed(seed: bytes) -> onnx.ModelProto:
    return onnx.ModelProto.FromString(seed)


def mutate_protobuf(seed: bytes, donors: Sequence[bytes], random: Random) -> bytes:
    """A third of the cases edits bytes, the others one to four fields, mostly of the graph."""
    if random.random() < 0.33:
        return mutate(seed, donors, random)
    model = onnx.ModelProto()
    model.CopyFrom(_parsed(seed))
    for _ in range(random.choice((1, 1, 2, 4))):
        if not (model.graph.node and model.graph.initializer):
            break  # an edit took the graph away; the others edit what is inside
        random.choice((_field, _field, _attribute, _wire, _constant, _operator, _node))(
            model, random
        )
    return model.SerializeToString()


def _messages(message: Any) -> list[Any]:
    """The message and every one inside it."""
    found = [message]
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if field.is_repeated else (value,):
                found += _messages(inner)
    return found


def _scalar(field: Any, random: Random) -> Any:
    kind = field.cpp_type
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return random.choice(_FLOATS)
    if kind == FieldDescriptor.CPPTYPE_STRING:
        text = random.choice(_STRINGS)
        return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return random.choice(field.enum_type.values).number
    if kind == FieldDescriptor.CPPTYPE_INT32:
        return random.randrange(24)
    value = random.choice(_INTEGERS)
    return value % 2**63 if kind == FieldDescriptor.CPPTYPE_UINT64 else value


def _set(message: Any, field: Any, random: Random) -> None:
    """Another value, one more or one less of a repeated field, or nothing at all."""
    if random.random() < 0.15:
        message.ClearField(field.name)
    elif field.is_repeated:
        items = getattr(message, field.name)
        at = random.randrange(len(items)) if items else 0
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if random.random() < 0.5 and items:
                del items[at]
            elif items:
                items.add().CopyFrom(items[at])
        elif random.random() < 0.3 and items:
            del items[at]
        elif random.random() < 0.3 or not items:
            items.append(_scalar(field, random))
        else:
            items[at] = _scalar(field, random)
    elif field.type != FieldDescriptor.TYPE_MESSAGE:
        setattr(message, field.name, _scalar(field, random))


def _field(model: Any, random: Random) -> None:
    message = random.choice(_messages(model))
    fields = [field for field, _ in message.ListFields()]
    if fields:
        _set(message, random.choice(fields), random)


def _attribute(model: Any, random: Random) -> None:
    """An attribute's value, or one that the node has not yet."""
    node = random.choice(model.graph.node)
    if node.attribute and random.random() < 0.8:
        attribute = random.choice(node.attribute)
        fields = [
            f for f, _ in attribute.ListFields() if f.name in ("i", "f", "s", "ints", "floats", "t")
        ]
        if fields:
            _set(attribute, random.choice(fields), random)
        return
    name = random.choice(
        (
            "axis",
            "axes",
            "keepdims",
            "group",
            "dilations",
            "strides",
            "pads",
            "to",
            "direction",
            "perm",
            "transA",
        )
    )
    value: Any = random.choice(
        (
            random.choice(_INTEGERS),
            [random.choice(_INTEGERS[:9]) for _ in range(random.randrange(5))] or 0,
        )
    )
    node.attribute.append(onnx.helper.make_attribute(name, value))


def _wire(model: Any, random: Random) -> None:
    """A node reads another value."""
    names = [name for node in model.graph.node for name in node.output]
    names += [tensor.name for tensor in model.graph.initializer] + ["x", "", "nothing"]
    node = random.choice(model.graph.node)
    ends = random.choice((node.input, node.input, node.output))
    if ends:
        ends[random.randrange(len(ends))] = random.choice(names)
    if random.random() < 0.2:
        node.input.append(random.choice(names))


def _constant(model: Any, random: Random) -> None:
    """Shape, type or bytes of a weight; the small integers are shapes, axes and counts."""
    tensor = random.choice(model.graph.initializer)
    what = random.random()
    if what < 0.3 and tensor.dims:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(_INTEGERS)
    elif what < 0.4:
        tensor.data_type = random.randrange(24)
    elif what < 0.5:
        tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
    else:
        raw = bytearray(tensor.raw_data)
        if len(raw) >= 8:
            at = random.randrange(len(raw) // 8) * 8
            raw[at : at + 8] = (random.choice(_INTEGERS) % 2**64).to_bytes(8, "little")
            tensor.raw_data = bytes(raw)


def _operator(model: Any, random: Random) -> None:
    random.choice(model.graph.node).op_type = random.choice(_OPERATORS)


def _node(model: Any, random: Random) -> None:
    """Two nodes change places, one is lost, or stands there twice."""
    nodes = model.graph.node
    a, b = random.randrange(len(nodes)), random.randrange(len(nodes))
    copy = onnx.NodeProto()
    copy.CopyFrom(nodes[a])
    if random.random() < 0.5:
        nodes[a].CopyFrom(nodes[b])
        nodes[b].CopyFrom(copy)
    elif random.random() < 0.5 and len(nodes) > 1:
        del nodes[a]
    else:
        nodes.append(copy)
