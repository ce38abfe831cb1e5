"""DeepGEMM: products of two-bit codes looked up in a table of all sixteen, beside int8 kernels.

The paper's baseline is QNNPACK, whose kernels for x86 are of SSE2; PyTorch ships it. Beside it are
the int8 kernel for AVX2 here and FBGEMM, PyTorch's. All take turns on one core.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import torch

from netwright.program.one_task import Given, one_task
from netwright.program.reference.codes import pack_codes, product_words, products_of
from netwright.run.native import NativeRuntime
from netwright.study import Claim, Finding, Paper, Study, at_least, exactly, main, near

Sizes: TypeAlias = tuple[int, int, int]
# Convolutions 3x3 of ResNet-18 at 224 pixels as (pixels, inputs, outputs); VGG-16's first product.
CONVOLUTIONS = ((3136, 576, 64), (784, 1152, 128), (196, 2304, 256), (49, 4608, 512))
VGG = (1, 25088, 4096)
LEARNT = products_of(np.arange(-2, 2), np.arange(4))  # levels of LSQ: signed weights
MOST_PRODUCTS, TURNS = 2.5e8, 41

ALONE, QNNPACK = "products of matrices on one core, no network", "times as fast as QNNPACK, where"
BEST, LEAST = (
    Claim(f"{QNNPACK} {which}, of ResNet-18's convolutions", "abstract: up to 1.74x",
          says, at_least(accepted), smaller=ALONE, clock=True)
    for which, says, accepted in (("most", 1.74, 0.8 * 1.74), ("least", 1.0, 1.0))
)  # fmt: skip
SHORT = "a tie at 576 inputs: folding sums and storing fp32, not bytes, is a good part of it"
GOOD_INT8 = Claim("as fast as int8 here, least", "ours", 1.0, at_least(1.0), clock=True)
FBGEMM = Claim("as fast as FBGEMM, least", "ours", 1.0, at_least(1.0), clock=True, fails=SHORT)
BOUND = "int8 waits for memory (24 GB/s); a lookup for one token unpacks its weights at 11 GB/s"
MEMORY = "as fast as int8 here, VGG, memory"
STREAMED = Claim(MEMORY, "ours", 4.0, at_least(2.0), clock=True, fails=BOUND)
BYTES = Claim("bytes of int8 weights over these", "abstract", 4.0, near(4.0, relative=0.05))
WRONG = Claim("sums that differ from those of integers, any 16 products", "ours", 0.0, exactly(0))


def looked_up(shape: Sizes, codes: np.ndarray, table: np.ndarray) -> NativeRuntime:
    """Codes [N, K] against codes of activations."""
    (tokens, inputs, outputs), raw = shape, pack_codes(codes)
    given = (
        Given("out", "fp32", (tokens, outputs)),
        Given("x", "uint8", shape[:2]),
        Given("weight", "bytes", (raw.size,), raw),
        Given("scale", "fp32", (outputs,), np.ones(outputs, np.float32)),
    )
    sizes = (inputs, outputs, *product_words(table), 0, 0.0, 0.0)
    return NativeRuntime(one_task("matmul_codes", given, sizes), 1)


def multiplied(shape: Sizes) -> NativeRuntime:
    """Int8 blocks of 32 with a scale each; encoding activations is left out, in its favour."""
    raw, x = np.zeros(math.prod(shape[1:]) // 32 * 34, np.uint8), Given("x", "act8x32", shape[:2])
    weight = Given("weight", "q8_0", (shape[2], shape[1]), raw)
    given = (Given("out", "fp32", (shape[0], shape[2])), x, weight)
    return NativeRuntime(one_task("matmul_quant", given, (0, 0.0, 0.0)), 1)


def torch_product(shape: Sizes, engine: str) -> Callable[[], Any]:
    """PyTorch's int8 product by QNNPACK or FBGEMM; activations are already codes of 8 bits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these types are going to leave PyTorch
        torch.backends.quantized.engine, make = engine, torch.quantize_per_tensor
        x = make(torch.rand(shape[0], shape[1]), 1 / 255, 0, torch.quint8)
        weight = make(torch.rand(shape[2], shape[1]) - 0.5, 1 / 255, 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(weight, None)
    return partial(torch.ops.quantized.linear, x, packed, 0.1, 0)


def wrong(full: bool) -> int:
    """Sums of the kernel that are not those of numpy's integers: tables drawn, and LSQ's."""
    rng, found = np.random.default_rng(4), 0
    shapes = ((17, 700, 33), (1, 129, 5), *(CONVOLUTIONS[1:3] if full else ()))
    for shape, drawn in product(shapes, (8, 4, 0)):
        table = rng.integers(-1 << drawn - 1, 1 << drawn - 1, (4, 4)) if drawn else LEARNT
        x = rng.integers(0, 4, shape[:2], dtype=np.uint8)
        codes = rng.integers(0, 4, (shape[2], shape[1]), dtype=np.uint8)
        out = looked_up(shape, codes, table.astype(np.int8)).call("forward", {"x": x}, {})["out"]
        expected = sum(table[w].astype(int)[x] @ (codes == w).T.astype(int) for w in range(4))
        found += int((out != expected).sum())
    return found


def timed(shape: Sizes, full: bool) -> Mapping[str, float]:
    """CPU seconds of one product: medians of turns that are taken in a circle."""
    repeats = max(1, round(MOST_PRODUCTS / math.prod(shape))) if full else 1
    codes = np.random.default_rng(3).integers(0, 4, (shape[2], shape[1]), dtype=np.uint8)
    ways = {engine: torch_product(shape, engine) for engine in ("qnnpack", "fbgemm")}
    ways["lookup"] = partial(looked_up(shape, codes, LEARNT).execute, "forward", {})
    ways["int8"] = partial(multiplied(shape).execute, "forward", {})
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS + 1 if full else 1):
        for name, run in ways.items():
            begun = time.process_time()
            for _ in range(repeats):
                run()
            if turn or not full:  # the first turn warms
                taken[name].append((time.process_time() - begun) / repeats)
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: each product once, no weights from memory."""
    yield WRONG.shown(wrong(full))
    torch.set_num_threads(1)
    times: dict[Sizes, Mapping[str, float]] = {}
    for shape in (*CONVOLUTIONS, *((VGG,) if full else ())):
        took = times[shape] = timed(shape, full)
        rates = (f"{name} {math.prod(shape) / s / 1e9:.1f}" for name, s in took.items())
        yield f"{shape}, G products/s: {', '.join(rates)}"
    judged = (BEST, "qnnpack", max), (LEAST, "qnnpack", min), (GOOD_INT8, "int8", min)
    for claim, name, of in (*judged, (FBGEMM, "fbgemm", min)):
        yield claim.shown(of(times[s][name] / times[s]["lookup"] for s in CONVOLUTIONS))
    if full:
        yield STREAMED.shown(times[VGG]["int8"] / times[VGG]["lookup"])
    held = [(k * n, pack_codes(np.zeros((n, k), np.uint8)).size) for _, k, n in CONVOLUTIONS]
    yield BYTES.shown(sum(of for of, _ in held) / sum(packed for _, packed in held))


study = Study(
    paper=Paper(
        title="DeepGEMM: Accelerated Ultra Low-Precision Inference on CPU Architectures using"
        " Lookup Tables",
        authors="Ganji, Ashfaq, Saboori, Sah, Mitra, AskariHemmat, Hoffman, Hassanien, Leonardon",
        year=2023,
        venue="CVPR workshop on efficient computer vision",
        link="https://arxiv.org/abs/2304.09049",
    ),
    shows="Products of two-bit codes by lookup beside QNNPACK and two int8 kernels for AVX2.",
    scale="Convolutions of ResNet-18 and a layer of VGG-16 as products of matrices, one core.",
    claims=(BEST, LEAST, GOOD_INT8, FBGEMM, STREAMED, BYTES, WRONG),
    show=show,
    differences=(
        "Activations are bytes, windows laid out before; a weight is unpacked once for four rows.",
        "No network is trained: accuracy after LSQ is not shown. QNNPACK is that of PyTorch.",
    ),
)

if __name__ == "__main__":
    main(study)
