"""Random small graphs: every hypothesis example is one valid network with inputs for it."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from netwright.graph.build import Builder
from netwright.graph.format import BF16, FP16, FP32, Q4_0, Q8_0
from netwright.graph.graph import Graph
from netwright.graph.op import Array
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Binary, Glu, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Concat, Pad, Reshape, Slice, Transpose
from netwright.graph.ops.norm import LayerNorm, RmsNorm
from netwright.graph.ops.position import CacheAppend, Rope, StateUpdate
from netwright.graph.ops.softmax import Softmax
from netwright.graph.tensor import TensorId

WIDTH = 32
FUNCTIONS = ("relu", "silu", "gelu", "tanh", "sigmoid", "square")
FORMATS = (FP32, FP16, BF16, Q8_0, Q4_0)


class Maker:
    """Appends random operators that keep [n, 32] activations."""

    def __init__(self, draw: st.DrawFn, repeat: int) -> None:
        self.draw = draw
        self.b = Builder("random")
        self.random = np.random.default_rng(draw(st.integers(0, 1000)))
        self.repeat = repeat
        self.inside = False
        self.count = 0

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def weight(self, *shape: int) -> TensorId:
        form = self.draw(st.sampled_from(FORMATS))
        values = [
            self.random.standard_normal(shape) for _ in range(self.repeat if self.inside else 1)
        ]
        dims = [(f"w{i}", s) for i, s in enumerate(shape)]
        return self.b.weight(self.name("weight"), dims, form, values)

    def step(self, values: list[TensorId]) -> TensorId:
        b, pick = self.b, lambda: self.draw(st.sampled_from(values))
        function = Function(self.draw(st.sampled_from(FUNCTIONS)))
        n = b.tensors[values[0]].dims[0].size
        match self.draw(st.integers(0, 8)):
            case 0:
                return b.add(
                    Linear(function=function),
                    (pick(), self.weight(WIDTH, WIDTH)),
                    self.name("linear"),
                )
            case 1:
                return b.add(Binary("add", function), (pick(), pick()), self.name("sum"))
            case 2:
                return b.add(Glu(function), (pick(), pick()), self.name("glu"))
            case 3:
                return b.add(RmsNorm(1e-5), (pick(), self.weight(WIDTH)), self.name("rms"))
            case 4:
                return b.add(
                    LayerNorm(1, 1e-5), (pick(), self.weight(WIDTH), None), self.name("norm")
                )
            case 5:
                return b.add(Softmax(-1, log=True), (pick(),), self.name("softmax"))
            case 6:
                return self.attention(pick(), pick(), n)
            case 7:
                both = b.add(Concat(1), (pick(), pick()), self.name("concat"))
                return b.add(Slice((0, 16), (n, 48), (1, 1)), (both,), self.name("slice"))
            case _:
                turned = b.add(Transpose((1, 0)), (pick(),), self.name("turned"))
                padded = b.add(Pad(((1, -1), (0, 0)), value=-1.0), (turned,), self.name("padded"))
                back = b.add(Transpose((1, 0)), (padded,), self.name("back"))
                return b.add(
                    Unary(Function("clip", -2.0, float("inf"))), (back,), self.name("clip")
                )

    def attention(self, x: TensorId, y: TensorId, n: object) -> TensorId:
        b = self.b
        q = b.add(Reshape((n, 4, 8)), (x,), self.name("q"))
        k = b.add(Reshape((n, 4, 8)), (y,), self.name("k"))
        cache = b.cache(self.name("cache"), (("p", 16), ("g", 4), ("d", 8)))
        turned = b.add(Rope(100.0, 4, self.past), (k, None), self.name("rope"))
        keys = b.add(CacheAppend(self.past), (cache, turned), self.name("keys"))
        mixed = b.add(Attention(0.3, causal=True), (q, keys, keys, None), self.name("attention"))
        return b.add(Reshape((n, WIDTH)), (mixed,), self.name("flat"))


@st.composite
def networks(draw: st.DrawFn) -> tuple[Graph, dict[str, Array], dict[str, int]]:
    """A graph with a folded block, its inputs, and values of its symbols."""
    maker = Maker(draw, draw(st.integers(1, 3)))
    b = maker.b
    n = b.symbol("n", 1, 4)
    maker.past = b.symbol("past", 0, 12)
    x = b.input("x", (("n", n), ("width", WIDTH)))
    values = [x]
    for _ in range(draw(st.integers(0, 3))):
        values.append(maker.step(values))
    with b.block("block", maker.repeat) as block:
        maker.inside = True
        inside = block.carry(values[-1])
        local = [inside, *values[:1]]
        for _ in range(draw(st.integers(1, 4))):
            local.append(maker.step(local))
        block.update(inside, local[-1])
    maker.inside = False
    values.append(block.last(inside))
    for _ in range(draw(st.integers(0, 2))):
        values.append(maker.step(values))
    state = b.state("state", (("one", 1), ("width", WIDTH)))
    seen = b.add(Binary("add"), (values[-1], state), "seen")
    first = b.add(Slice((0, 0), (1, WIDTH), (1, 1)), (seen,), "first")
    kept = b.add(StateUpdate(), (state, first), "kept")
    graph = b.finish((seen, kept))
    size = draw(st.integers(1, 4))
    symbols = {"n": size, "past": draw(st.integers(0, 12))}
    return graph, {"x": maker.random.standard_normal((size, WIDTH))}, symbols
