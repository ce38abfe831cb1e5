"""Work and bytes, against closed forms and published totals."""

import pytest

from netwright.graph.analysis import analyse
from netwright.graph.build import Builder
from netwright.graph.format import Q4_1
from netwright.graph.ops.attention import Attention
from netwright.graph.tensor import Role
from netwright.graph.zoo.llama import LlamaSizes, llama
from netwright.graph.zoo.mlp import mlp
from netwright.graph.zoo.mobilenet import mobilenet_v1


def test_linear_layer():
    found = analyse(mlp((32, 64), batch=3, form=Q4_1), {})
    assert found.macs == 3 * 32 * 64
    assert found.operations == 2 * found.macs + 3 * 64
    assert found.bits_per_weight == pytest.approx(8 * (64 * 20 + 64 * 4) / (64 * 32 + 64))
    work = found.works[0]
    assert work.read_bytes == 3 * 32 * 4 + 64 * 20 + 64 * 4
    assert work.written_bytes == 3 * 64 * 4
    assert work.intensity == work.operations / (work.read_bytes + work.written_bytes)


def test_mobilenet_matches_the_paper():
    # Howard et al., arXiv 1704.04861, table 8: 1.0 MobileNet-128 is 186 million mult-adds; the
    # 4.2 million parameters do not depend on the resolution.
    network = mobilenet_v1(image=128)
    found = analyse(network, {})
    assert found.macs == pytest.approx(186e6, rel=0.005)
    assert found.weight_elements == pytest.approx(4.2e6, rel=0.02)


def test_llama_decode_reads_every_weight_once_and_its_cache():
    size = LlamaSizes(vocabulary=64, width=64, layers=3, heads=4, key_heads=2, hidden=96)
    found = analyse(llama(size), {"n_tokens": 1, "n_past": 9})
    matrices = 64 * 64 * 2 + 2 * 64 * 32 + 3 * 64 * 96
    attention = 2 * 10 * 64
    assert found.macs == size.layers * (matrices + attention) + 64 * 64 + _norms(found)
    assert sum(found.role_bytes.values()) == found.moved_bytes
    # The embedding is read once whole, for the logits, and one row of it for the token.
    assert found.role_bytes[Role.WEIGHT] == found.weight_bytes + 64 * 4
    append = next(w for w in found.works if w.name == "k_all")
    assert append.written_bytes == 2 * 16 * 2
    attend = next(w for w in found.works if w.name == "attention")
    assert [t.passes for t in attend.traffic] == [1, 3, 1, 1]


def _norms(found):
    """The sums of squares of the norms are products that are summed, too."""
    return sum(w.macs * w.repeat for w in found.works if w.kind == "RmsNorm")


def test_density_and_causal_mask_leave_effectual_work():
    b = Builder("attention")
    q, k, v = (b.input(n, (("t", 8), ("h", 2), ("d", 4))) for n in "qkv")
    network = b.finish((b.add(Attention(0.5, causal=True), (q, k, v, None), "y"),))
    found = analyse(network, {})
    assert found.macs == 2 * 8 * 8 * 2 * 4
    assert found.effectual_macs == pytest.approx(found.macs * (8 * 9 / 2) / 64)
