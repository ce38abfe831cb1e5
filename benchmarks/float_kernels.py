"""Float kernels on the layers of real networks: CPU milliseconds and GFLOP/s of each shape.

`python benchmarks/float_kernels.py [det|rec|cls|minilm|all]`; needs onnx and rapidocr-onnxruntime
for the first three. One thread, best of three runs, fused with ReLU; sums are of the layers listed.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.native import core

RELU = [1, 0.0, 0.0]
MODELS = {
    "det": ("ch_PP-OCRv4_det_infer.onnx", (1, 3, 480, 480)),
    "rec": ("ch_PP-OCRv4_rec_infer.onnx", (1, 3, 48, 320)),
    "cls": ("ch_ppocr_mobile_v2.0_cls_infer.onnx", (1, 3, 48, 192)),
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One call of a kernel and the arithmetic it holds."""

    label: str
    opcode: str
    operands: Sequence[Any]
    parameters: Sequence[int | float]
    flops: int

    def seconds(self, avx2: bool = True) -> float:
        """Best of three, each long enough to trust."""
        once = core.call(self.opcode, self.operands, self.parameters, 0, 1, avx2, 2) / 2
        repeats = max(1, int(0.02 / max(once, 1e-7)))
        return min(
            core.call(self.opcode, self.operands, self.parameters, 0, 1, avx2, repeats) / repeats
            for _ in range(3)
        )


def operand(array: Any) -> Any:
    if isinstance(array, bytes):
        packed = np.frombuffer(array, np.uint8)
        return (packed, 63, [packed.size], [1])
    return (array, 0, list(array.shape), list(array.strides))


def image(n: int, c: int, h: int, w: int) -> Any:
    values = np.random.default_rng(0).standard_normal((n, h, w, c)).astype(np.float32)
    return values.transpose(0, 3, 1, 2)


def gemm(rows: int, inputs: int, outputs: int) -> Layer:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((outputs, inputs)).astype(np.float32)
    arrays = (
        np.empty((rows, outputs), np.float32),
        rng.standard_normal((rows, inputs)).astype(np.float32),
        core.pack_gemm(weight),
    )
    label = f"gemm {rows}x{inputs}x{outputs}"
    parameters = [inputs, outputs, *RELU]
    operands = [operand(each) for each in arrays]
    return Layer(label, "gemm_packed", operands, parameters, 2 * rows * inputs * outputs)


def convolution(
    x: Sequence[int], weight: Sequence[int], out: Sequence[int], attributes: dict[str, Any]
) -> Layer:
    """A Conv or ConvTranspose node as the kernel that lowering would choose."""
    strides, pads = attributes["strides"], attributes["pads"]
    groups, kernel = attributes["group"], tuple(weight[2:])
    window = [*kernel, *strides, pads[0], pads[1], *attributes.get("dilations", [1, 1])]
    values = np.random.default_rng(0).standard_normal(weight).astype(np.float32)
    ends = [operand(image(*out)), operand(image(*x))]
    per_weight = int(np.prod(x[2:] if attributes["transpose"] else out[2:]))
    flops = 2 * int(np.prod(weight)) * per_weight * x[0]
    label = f"{'x'.join(map(str, x))} -> {out[1]} k{kernel} s{tuple(strides)} g{groups}"
    if attributes["transpose"]:
        packed = operand(core.pack_conv_transpose(values, strides, (1, 1), groups))
        return Layer(
            "T " + label, "conv_transpose", [*ends, packed], [*window, groups, *RELU], flops
        )
    if groups == x[1] == out[1]:
        taps = np.ascontiguousarray(values.reshape(groups, -1).T)
        return Layer(
            "D " + label, "conv_depthwise", [*ends, operand(taps)], [*window, *RELU], flops
        )
    packed = operand(core.pack_conv(values, groups))
    return Layer("C " + label, "conv_packed", [*ends, packed], [*window, groups, *RELU], flops)


def layers_of(name: str) -> list[tuple[Layer, int]]:
    """The convolutions and weight products of a PP-OCR network, with how often each occurs."""
    import onnx
    import onnxruntime

    file, shape = MODELS[name]
    files = importlib.metadata.distribution("rapidocr-onnxruntime").files or []
    path = next(str(each.locate()) for each in files if each.name == file)
    model = onnx.load(path)
    constants = {each.name: each for each in model.graph.initializer}
    constants |= {
        n.output[0]: n.attribute[0].t for n in model.graph.node if n.op_type == "Constant"
    }
    kinds = ("Conv", "ConvTranspose", "MatMul")
    nodes = [n for n in model.graph.node if n.op_type in kinds and n.input[1] in constants]
    # Shapes are asked of a run: inference cannot see through this network's shape arithmetic.
    wanted = sorted({n.input[0] for n in nodes} | {n.output[0] for n in nodes})
    produced = {o for n in model.graph.node for o in n.output}
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=w) for w in wanted if w in produced)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feed = {session.get_inputs()[0].name: np.zeros(shape, np.float32)}
    names = [each.name for each in session.get_outputs()]
    shapes = {n: v.shape for n, v in zip(names, session.run(names, feed), strict=True)}
    shapes |= {session.get_inputs()[0].name: shape}
    counted: Counter[tuple[Any, ...]] = Counter()
    for node in nodes:
        x, out = shapes[node.input[0]], shapes[node.output[0]]
        weight = tuple(constants[node.input[1]].dims)
        attributes = tuple(
            (a.name, tuple(a.ints) or a.i) for a in node.attribute if a.type in (2, 7)
        )
        counted[node.op_type, tuple(x), weight, tuple(out), attributes] += 1
    result: list[tuple[Layer, int]] = []
    for (kind, x, weight, out, attributes), times in counted.items():
        if kind == "MatMul":
            result.append((gemm(int(np.prod(x[:-1])), *weight), times))
        else:
            facts = {"group": 1, **dict(attributes), "transpose": kind == "ConvTranspose"}
            result.append((convolution(x, weight, out, facts), times))
    return result


def minilm() -> list[tuple[Layer, int]]:
    """The six blocks of MiniLM-L6 at 128 tokens: products only."""
    return [(gemm(128, 384, 384), 24), (gemm(128, 384, 1536), 6), (gemm(128, 1536, 384), 6)]


def main() -> None:
    chosen = sys.argv[1] if len(sys.argv) > 1 else "all"
    for name in (*MODELS, "minilm"):
        if chosen not in ("all", name):
            continue
        total_seconds = total_flops = 0.0
        for layer, times in minilm() if name == "minilm" else layers_of(name):
            seconds = layer.seconds()
            total_seconds += times * seconds
            total_flops += times * layer.flops
            rate = layer.flops / seconds / 1e9
            print(f"{times:2} {layer.label:52} {seconds * 1e3 * times:8.3f} ms {rate:6.1f} GFLOP/s")
        rate = total_flops / total_seconds / 1e9
        milliseconds, gflop = total_seconds * 1e3, total_flops / 1e9
        print(f"{name}: {milliseconds:.2f} ms, {gflop:.3f} GFLOP, {rate:.1f} GFLOP/s\n")


if __name__ == "__main__":
    main()
