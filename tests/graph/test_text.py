"""The readable form says shapes, true bits and einsums."""

from netwright.graph.format import Q4_1
from netwright.graph.graph import Graph
from netwright.graph.zoo.llama import LlamaSizes, llama
from netwright.graph.zoo.mlp import mlp


def test_text_of_a_linear_layer():
    assert (
        str(mlp((32, 4), form=Q4_1))
        == """\
graph mlp
  input x: fp32 [batch=1, width0=32]
  weight weight0: q4_1 [width1=4, width0=32] 5.00 bits
  weight bias0: fp32 [width1=4] 32.00 bits
  linear0: fp32 [batch=1, d1=4] = Linear(x, weight0, bias0)
      t1[m0, n] = sum(k: 32) x[m0, k] * weight0[n, k]
      linear0[m0, n] = t1[m0, n] + bias0[n]
  output linear0"""
    )


def test_text_of_blocks_and_symbols():
    text = str(llama(LlamaSizes(layers=3)))
    assert "  symbol n_past in 0..63" in text
    assert "  block layers x 3" in text
    assert "k_all: fp16 [d0=n_past + n_tokens, group=2, head=8] = CacheAppend[start=n_past]" in text
    assert "t7[g, h, t] = max(s: n_past + n_tokens) t2[g, h, t, s]" in text
    assert isinstance(llama(LlamaSizes()), Graph)
