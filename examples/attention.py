"""One layer of attention: 16 heads of 64 over 4,096 tokens, for a spatial array.

netwright plan examples/attention.py --machine spatial-256x256 --explain
"""

from netwright.graph.build import Builder
from netwright.graph.ops.attention import Attention

TOKENS, HEADS, WIDTH = 4096, 16, 64

builder = Builder("attention")
dims = (("token", TOKENS), ("head", HEADS), ("width", WIDTH))
query, key, value = (builder.input(name, dims) for name in ("query", "key", "value"))
mixed = builder.add(Attention(scale=WIDTH**-0.5), (query, key, value), "attention")
network = builder.finish((mixed,))
