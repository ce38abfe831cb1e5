"""Zoo networks against torch written from the papers, and against published sizes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from netwright.errors import GraphError
from netwright.graph.analysis import analyse
from netwright.graph.format import Q4_0
from netwright.graph.interpret import interpret
from netwright.graph.unroll import unrolled
from netwright.graph.verify import verify
from netwright.graph.zoo import gpt, llama, mlp, mobilenet_v1, resnet
from netwright.graph.zoo.gpt import GptSizes
from netwright.graph.zoo.llama import LlamaSizes
from netwright.graph.zoo.resnet import ResnetSizes
from netwright.graph.zoo.wired import (
    WiredSizes,
    barabasi_albert,
    erdos_renyi,
    watts_strogatz,
    wired,
)


class Weights:
    """Weights of an unrolled graph by name, as float64 torch tensors."""

    def __init__(self, graph):
        self.tensors = {t.name: t for t in unrolled(graph).tensors}

    def __getitem__(self, name):
        t = self.tensors[name]
        rows = t.data[0].raw.reshape(-1, t.format.row_bytes(t.shape[-1]))
        return torch.tensor(t.format.decode(rows).reshape(t.shape))


def test_gpt_equals_torch():
    size = GptSizes(tokens=7, batch=2)
    network = gpt(size)
    w = Weights(network)
    tokens = np.random.default_rng(0).integers(0, 32, (2, 7))
    x = F.embedding(torch.tensor(tokens), w["embedding"]) + w["positions"]

    def norm(name, x):
        return F.layer_norm(x, (32,), w[name("scale")], w[name("bias")], size.epsilon)

    for i in range(size.layers):
        linear = lambda n, v, i=i: F.linear(v, w[f"{n}_weight.{i}"], w[f"{n}_bias.{i}"])  # noqa: E731
        normal = norm(lambda k, i=i: f"attention_norm_{k}.{i}", x)
        q, k, v = (
            t.unflatten(-1, (4, 8)).transpose(1, 2) for t in linear("qkv", normal).chunk(3, -1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
        x = x + linear("attention_output", mixed.flatten(-2))
        normal = norm(lambda k, i=i: f"feed_forward_norm_{k}.{i}", x)
        x = x + linear("down", F.gelu(linear("up", normal), approximate="tanh"))
    expected = norm(lambda k: f"final_norm_{k}", x) @ w["embedding"].T
    found, _ = interpret(network, {"tokens": tokens}, {}, {})
    np.testing.assert_allclose(found["logits"], expected.numpy(), atol=1e-12)


def rotated(x):
    """Rotary embedding by complex numbers, pairs (j, j + half)."""
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[0])[:, None] * 10000.0 ** (
        -torch.arange(half, dtype=torch.float64) / half
    )
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(
        torch.ones_like(angle), angle
    ).unsqueeze(1)
    return torch.cat((turned.real, turned.imag), -1)


def test_llama_equals_torch():
    size = LlamaSizes()
    network = llama(size, form=Q4_0)
    w = Weights(network)
    tokens = np.random.default_rng(0).integers(0, 32, 9)
    x = w["embedding"][tokens]

    def norm(x, scale):
        return F.rms_norm(x, (32,), scale, size.epsilon)

    for i in range(size.layers):
        normal = norm(x, w[f"attention_norm_scale.{i}"])
        q, k, v = (F.linear(normal, w[f"{n}_weight.{i}"]).unflatten(-1, (-1, 8)) for n in "qkv")
        parts = [t.transpose(0, 1) for t in (rotated(q), rotated(k), v)]
        mixed = F.scaled_dot_product_attention(*parts, is_causal=True, enable_gqa=True)
        x = x + F.linear(mixed.transpose(0, 1).flatten(-2), w[f"attention_output_weight.{i}"])
        normal = norm(x, w[f"feed_forward_norm_scale.{i}"])
        gate = F.silu(F.linear(normal, w[f"gate_weight.{i}"]))
        x = x + F.linear(gate * F.linear(normal, w[f"up_weight.{i}"]), w[f"down_weight.{i}"])
    expected = norm(x, w["output_norm"]) @ w["embedding"].T
    found, _ = interpret(network, {"tokens": tokens}, {"n_tokens": 9, "n_past": 0}, {})
    np.testing.assert_allclose(found["logits"], expected.numpy(), atol=1e-12)


@pytest.mark.parametrize(
    ("network", "macs", "weights"),
    [
        # He et al., arXiv 1512.03385, table 1 (1.8e9 multiply-adds); torchvision's ResNet-50 has
        # 4.1e9. Their parameters: 11.7 and 25.6 million.
        (resnet(ResnetSizes(), seed=None), 1.8e9, 11.7e6),
        (resnet(ResnetSizes((3, 4, 6, 3), bottleneck=True), seed=None), 4.1e9, 25.6e6),
        # Howard et al., arXiv 1704.04861, tables 6 and 7.
        (mobilenet_v1(seed=None), 569e6, 4.2e6),
        (mobilenet_v1(width=0.5, seed=None), 149e6, 1.3e6),
    ],
    ids=["resnet18", "resnet50", "mobilenet", "half-mobilenet"],
)
def test_published_sizes(network, macs, weights):
    found = analyse(network, {})
    assert found.macs == pytest.approx(macs, rel=0.01)
    assert found.weight_elements == pytest.approx(weights, rel=0.035)


def test_llama_2_7b_as_shapes():
    # Touvron et al., arXiv 2307.09288: 6.74e9 parameters with a separate output matrix.
    sizes = LlamaSizes(32000, 4096, 32, 32, 32, 11008, 4096)
    network = llama(sizes, seed=None)
    verify(network)
    found = analyse(network, {"n_tokens": 1, "n_past": 0})
    assert found.weight_elements + 32000 * 4096 == pytest.approx(6.738e9, rel=1e-3)


def test_seed_fixes_every_weight():
    one, two, other = mlp((4, 8)), mlp((4, 8)), mlp((4, 8), seed=1)
    raw = [g.tensors[1].data[0].raw for g in (one, two, other)]
    np.testing.assert_array_equal(raw[0], raw[1])
    assert not np.array_equal(raw[0], raw[2])
    with pytest.raises(GraphError, match="weight weight0 has no data"):
        interpret(mlp((4, 8), seed=None), {"x": np.zeros((1, 4))}, {}, {})


def test_mobilenet_with_wider_groups_does_so_many_times_the_depthwise_products() -> None:
    plain = analyse(mobilenet_v1(64, seed=None), {})
    wide = analyse(mobilenet_v1(64, seed=None, group_channels=4), {})
    of = [{w.name: w.macs for w in a.works if w.name.startswith("depth")} for a in (plain, wide)]
    assert sum(of[1].values()) == 4 * sum(of[0].values())
    assert wide.macs - plain.macs == 3 * sum(of[0].values())
    last = analyse(mobilenet_v1(64, seed=None, group_channels=[1] * 12 + [4]), {})
    assert last.macs - plain.macs == 3 * of[0]["depth12_conv"]
    with pytest.raises(ValueError, match="shorter"):
        mobilenet_v1(64, seed=None, group_channels=[4] * 12)


@pytest.mark.parametrize("kind", [barabasi_albert, erdos_renyi, watts_strogatz])
def test_random_graphs_have_the_edges_of_their_kind(kind):
    nodes = 32
    counts = [len(kind(nodes, np.random.default_rng(seed))) for seed in range(40)]
    # Five for each node but the first five; the expected share of pairs; two for each node.
    expected = {barabasi_albert: 5 * (nodes - 5), watts_strogatz: 2 * nodes}.get(kind)
    if expected is not None:
        assert set(counts) == {expected}
    else:
        pairs = nodes * (nodes - 1) / 2
        assert abs(np.mean(counts) - 0.2 * pairs) < 4 * np.sqrt(0.16 * pairs / len(counts))
    edges = kind(nodes, np.random.default_rng(0))
    assert all(0 <= a < b < nodes for a, b in edges)
    assert edges == kind(nodes, np.random.default_rng(0))
    assert edges != kind(nodes, np.random.default_rng(1))


@pytest.mark.parametrize("kind", [barabasi_albert, erdos_renyi, watts_strogatz])
def test_randomly_wired_networks_are_valid_and_run(kind):
    network = wired(kind, WiredSizes(nodes=7, stages=2, width=4, image=32, classes=3))
    verify(network)
    image = np.random.default_rng(0).normal(size=(1, 3, 32, 32))
    found, _ = interpret(network, {"image": image}, {}, {})
    (logits,) = found.values()
    assert logits.shape == (1, 3)
    assert np.isfinite(logits).all()
    halved = {t.shape[2] for t in network.tensors if t.name.startswith("s1n") and "norm" in t.name}
    assert halved == {2}
