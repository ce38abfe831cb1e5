"""FlashAttention: exact attention that never writes its scores; Figure 2 counted, and run here."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netwright import Graph, Infer, machine, plan
from netwright.cost import attention_tiles as cost
from netwright.graph.analysis import analyse
from netwright.graph.build import Builder
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.elementwise import Binary
from netwright.graph.ops.linear import MatMul
from netwright.graph.ops.softmax import Softmax
from netwright.plan.attention_tiling import tile_attention
from netwright.run.native import NativeRuntime
from netwright.study import Claim, Finding, Paper, Study, at_least, at_most, main, near
from netwright.study.clock import interleaved
from netwright.transform.differentiate import differentiate

SEQUENCES, TOKENS, HEADS, WIDTH, ITEM_BYTES = 64, 1024, 16, 64, 2
SHAPE = cost.HeadShape(TOKENS, TOKENS, WIDTH, WIDTH)
FIGURE = "Figure 2, left (as remembered, not read again)"
CPU = "one thread of a CPU, fp32, forward: arithmetic bounds both forms, not memory"

UNFUSED, TILED = (
    Claim(text, FIGURE, bytes_, near(bytes_, relative=0.25), "B", checked=False)
    for text, bytes_ in (("bytes, unfused, with dropout", 40.3e9), ("bytes, in tiles", 4.4e9))
)
EXACT = Claim("largest error to float64, of the largest", "exact: abstract", 0, at_most(1e-5))
WALL = "of 189 ms unfused 152 are two products that tiles do too; softmax and its traffic take 37"
GPT2 = "abstract: 3x on GPT-2"
QUICKER = Claim("times quicker in tiles", GPT2, 3, at_least(1.5), "1", CPU, WALL, clock=True)
QUARTER = "time of a quarter of the blocks, of a quarter of all's"
SPARSE = Claim(QUARTER, "section 3.3", 1, near(1, relative=0.2), smaller=CPU, clock=True)


def unfused(heads: int, tokens: int, *, dropout: bool, weights_out: bool = False) -> Graph:
    """Attention as four or six operators. With its weights as an output nothing can fuse them."""
    builder = Builder("unfused")
    square = (("head", heads), ("token", tokens), ("key", tokens))
    q, k, v = (builder.input(name, (*square[:2], ("width", WIDTH))) for name in "qkv")
    kept = builder.add(MatMul(transpose_b=True, scale=WIDTH**-0.5), (q, k))
    if dropout:
        kept = builder.add(Binary("add"), (kept, builder.input("mask", square[1:])))
    weights = kept = builder.add(Softmax(2), (kept,), "softmax")
    if dropout:
        kept = builder.add(Binary("mul"), (weights, builder.input("dropped", square)), "dropout")
    return builder.finish((builder.add(MatMul(), (kept, v)), weights)[: 1 + weights_out])


def fused(heads: int, tokens: int, window: int | None = None) -> Graph:
    """The same as one operator; causal with a window."""
    builder = Builder("fused")
    dims = (("token", tokens), ("head", heads), ("width", WIDTH))
    q, k, v = (builder.input(name, dims) for name in "qkv")
    return builder.finish((builder.add(Attention(WIDTH**-0.5, bool(window), window), (q, k, v)),))


def unfused_elements(*, dropout: bool) -> int:
    """Forward and backward, an operator at a time; softmax's gradient is one kernel."""
    made = differentiate(unfused(SEQUENCES * HEADS, TOKENS, dropout=dropout), ("mask", "dropped"))
    forward, backward = (analyse(g, {}).works for g in (made.forward, made.input_gradient))
    own = [w for w in backward if w.kind == "MatMul" or w.name.startswith("d_dropout")]
    total = sum(t.elements for work in (*forward, *own) for t in work.traffic)
    return total + 3 * SEQUENCES * HEADS * TOKENS**2  # reads weights and gradient, writes one


def tiled_elements(tile: cost.HeadTile) -> int:
    """Forward and backward of all heads, keys outermost as in the paper."""
    moved = cost.forward_moved(SHAPE, tile).total + cost.backward_moved(SHAPE, tile).total
    return SEQUENCES * HEADS * moved


def prepared(graph: Graph, *inputs: np.ndarray) -> tuple[NativeRuntime, np.ndarray]:
    """Planned, lowered, loaded and run once on one thread: the runtime and its first output."""
    runtime = NativeRuntime(plan(graph, machine("epyc-7763"), Infer()).lower(), threads=1)
    outputs = runtime.call("forward", dict(zip("qkv", inputs, strict=True)), {})
    return runtime, outputs[graph[graph.outputs[0]].name]


def ratio(*both: NativeRuntime, turns: int) -> tuple[float, str]:
    """Seconds of the first over those of the second."""
    calls = [lambda one=one: one.execute("forward", {}) for one in both]
    spent = interleaved(dict(zip("12", calls, strict=True)), turns)
    return spent["1"] / spent["2"], f"{1e3 * spent['1']:.1f} and {1e3 * spent['2']:.1f} ms"


def both(heads: int, tokens: int) -> tuple[NativeRuntime, NativeRuntime, float]:
    """Unfused with its scores kept, and in tiles; the latter's largest error to float64."""
    x = np.random.default_rng(0).standard_normal((3, heads, tokens, WIDTH), np.float32)
    turned = x.swapaxes(1, 2).copy()
    whole = prepared(unfused(heads, tokens, dropout=False, weights_out=True), *x)[0]
    tiled, got = prepared(fused(heads, tokens), *turned)
    exact = Attention(WIDTH**-0.5).reference(list(turned.astype(np.float64)))[0]
    return whole, tiled, np.abs(got - exact).max() / np.abs(exact).max()


def native(full: bool) -> Iterator[Finding | str]:
    """The kernel against float64, its time against the scores written out, and a window's."""
    turns, tokens = (9, 2048) if full else (1, 256)
    whole, tiled, error = both(8, tokens)
    yield EXACT.shown(error, f"{tokens} tokens")
    quicker, note = ratio(whole, tiled, turns=turns)
    yield QUICKER.shown(quicker, f"{tokens} tokens, 8 heads: {note}")
    for heads, n in ((8, 512), (2, 4096)) if full else ():
        yield f"{n} tokens, {heads} heads, times quicker: {ratio(*both(heads, n)[:2], turns=5)}"
    tokens, window = (8192, 1088) if full else (1024, 136)
    long = np.random.default_rng(0).standard_normal((3, tokens, 2, WIDTH), np.float32)
    every, some = (prepared(fused(2, tokens, w), *long)[0] for w in (tokens, window))
    share = window * (2 * tokens - window + 1) / (tokens * (tokens + 1))
    part, note = ratio(some, every, turns=turns)
    yield SPARSE.shown(part / share, f"{share:.3f} of the scores; {note}")


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: a few hundred tokens, no clock judged."""
    yield f"without mask and dropout: {ITEM_BYTES * unfused_elements(dropout=False) / 1e9:.1f} GB"
    yield UNFUSED.shown(ITEM_BYTES * unfused_elements(dropout=True))
    fast = machine("a100-sxm-40").memories[0].capacity_bytes // ITEM_BYTES
    keys = -(-fast // (4 * WIDTH))
    rule = cost.HeadTile(cost.TileOrder.KEYS_OUTER, min(keys, WIDTH), keys)
    least = tiled_elements(tile_attention(SHAPE, fast, (cost.TileOrder.KEYS_OUTER,)).tile)
    yield TILED.shown(ITEM_BYTES * tiled_elements(rule), f"planner's: {ITEM_BYTES * least:.3g} B")
    yield from native(full)


study = Study(
    paper=Paper(
        title="FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness",
        authors="Dao, Fu, Ermon, Rudra, Re",
        year=2022,
        venue="NeurIPS",
        link="https://arxiv.org/abs/2205.14135",
    ),
    shows="Bytes moved, unfused and tiled, counted at Figure 2's sizes; both forms timed here.",
    scale="Traffic at the paper's size; times on one thread of a CPU, up to 8,192 tokens.",
    claims=(UNFUSED, TILED, EXACT, QUICKER, SPARSE),
    show=show,
    differences=(
        "Figure 2 is remembered. Tiles are algorithm 1's, M / 4d keys; the planner's move less.",
        "A dropout mask is a 16-bit input here; softmax's gradient is one kernel, as in torch.",
        "Sparse blocks are those of a sliding window; the paper's are another fixed pattern.",
    ),
)

if __name__ == "__main__":
    main(study)
