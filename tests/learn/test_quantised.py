"""Low-bit layers: codes on their grid, gradients straight through, the graph the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netwright.errors import JobError
from netwright.graph.interpret import interpret
from netwright.learn.fit import Recipe, fit, share_right
from netwright.learn.quantised import (
    QuantisedLayer,
    QuantisedNetwork,
    Widths,
    graph_of_quantised,
)  # fmt: skip


def network(weight_bits: int, activation_bits: int) -> QuantisedNetwork:
    torch.manual_seed(0)
    return QuantisedNetwork((12, 9, 3), Widths(weight_bits, activation_bits))


@pytest.mark.parametrize("weight_bits", [1, 2, 4])
@pytest.mark.parametrize("activation_bits", [1, 3])
def test_codes_and_graph(weight_bits: int, activation_bits: int) -> None:
    net = network(weight_bits, activation_bits)
    first = net.layers[0]
    assert isinstance(first, QuantisedLayer)
    codes = (first.coded() / first.weight_scale).detach().numpy()
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-5)
    assert len(np.unique(np.rint(codes))) <= 2**weight_bits
    x = torch.rand(5, 12, generator=torch.Generator().manual_seed(1))
    hidden = first(torch.floor(x * 7 + 0.5) / 7) / first.scale
    assert float(hidden.detach().max()) <= 2**activation_bits - 1 + 1e-5
    outputs, _ = interpret(graph_of_quantised(net, 5), {"x": x.numpy()}, {}, {})
    np.testing.assert_allclose(outputs["logits"], net(x).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_the_scale_has_the_gradient_of_the_paper() -> None:
    """Equation 3: -v/s + round(v/s) inside, the limits outside, times 1 / sqrt(n Q)."""
    layer = QuantisedLayer(2, 4, Widths(8, 2), last=False)
    with torch.no_grad():
        layer.weight.copy_(torch.zeros(4, 2))
        layer.bias.copy_(torch.tensor([-1.0, 0.3, 1.1, 9.0]))
        layer.scale.fill_(1.0)
    layer(torch.zeros(1, 2)).sum().backward()
    expected = (0.0 + (0.0 - 0.3) + (1.0 - 1.1) + 3.0) * (4 * 3) ** -0.5
    assert float(layer.scale.grad) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(layer.bias.grad.numpy(), [0, 1, 1, 0])


def test_it_learns() -> None:
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    labels = (np.arange(240) % 3).astype(np.int64)
    images = random.uniform(0, 0.5, (240, 12)).astype(np.float32)
    for k in range(3):
        images[labels == k, 4 * k : 4 * k + 4] += 0.4
    net = network(2, 2)
    fit(net, (images, labels), lambda x: x[None], Recipe(epochs=15, batch=20, rate=1e-2))
    assert share_right(net, (images, labels), lambda x: x[None]) > 0.95


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(JobError, match="0 bits a weight"):
        Widths(0, 2)
    with pytest.raises(JobError, match="sizes"):
        QuantisedNetwork((3,), Widths(2, 2))
