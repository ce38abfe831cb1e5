"""Plastic synapses against plain loops, one synapse and one sample at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import GraphError
from netwright.graph.op import TensorType
from netwright.graph.ops.plasticity import Astrocyte, PlasticConnect, Stdp, Trace


def drawn(seed: int, batch: int, sources: int, targets: int, edges: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    end = random.choice([-3.0, 0.0, 3.0], edges)
    return {
        "weight": end / 3 * random.uniform(0, 3, (batch, edges)),
        "end": end,
        "source": random.integers(0, sources, edges),
        "target": random.integers(0, targets, edges),
        "pre": (random.random((1, batch, sources)) < 0.4).astype(float),
        "post": (random.random((1, batch, targets)) < 0.4).astype(float),
        "trace_pre": random.uniform(0, 2, (batch, sources)),
        "trace_post": random.uniform(0, 2, (batch, targets)),
        "fall": random.uniform(0, 1, (batch, 1)),
    }


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 999), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(0, 20)
)
def test_stdp_and_sums_are_those_of_a_loop(
    seed: int, batch: int, sources: int, targets: int, edges: int
) -> None:
    g = drawn(seed, batch, sources, targets, edges)
    (after,) = Stdp(0.2).reference(list(g.values()))
    (sums,) = PlasticConnect(targets).reference([g["pre"], g["weight"], g["source"], g["target"]])
    expected = np.zeros((1, batch, targets))
    for b in range(batch):
        for e in range(edges):
            i, j, w, end = g["source"][e], g["target"][e], g["weight"][b, e], g["end"][e]
            expected[0, b, j] += w * g["pre"][0, b, i]
            up, down = (0.2, -g["fall"][b, 0]) if end > 0 else (-g["fall"][b, 0], 0.2)
            w += up * g["trace_pre"][b, i] * g["post"][0, b, j]
            w += down * g["trace_post"][b, j] * g["pre"][0, b, i]
            held = g["weight"][b, e] if end == 0 else np.clip(w, min(0, end), max(0, end))
            assert after[b, e] == pytest.approx(held, abs=1e-12)
    np.testing.assert_allclose(sums, expected, atol=1e-12)


def test_source_before_target_strengthens_and_the_other_way_weakens() -> None:
    """One excitatory synapse, two spikes three steps apart."""
    trace, stdp = Trace(0.9, 0.1), Stdp(0.15)
    for first, sign in (("pre", 1.0), ("post", -1.0)):
        w, x, y = np.full((1, 1), 1.0), np.zeros((1, 1)), np.zeros((1, 1))
        for step in range(4):
            fires = {
                name: np.full((1, 1, 1), float(step == (0 if name == first else 3)))
                for name in ("pre", "post")
            }
            zero = np.zeros(1, int)
            given_ = [w, np.array([3.0]), zero, zero, fires["pre"], fires["post"], x, y]
            (w,) = stdp.reference([*given_, np.full((1, 1), 0.15)])
            (x,), (y,) = trace.reference([fires["pre"], x]), trace.reference([fires["post"], y])
        assert w[0, 0] == pytest.approx(1.0 + sign * 0.15 * 0.1 * 0.9**3)


def test_an_astrocyte_settles_where_activity_says() -> None:
    a, cell = np.full((1, 1), 0.15), Astrocyte(0.01, 50.0, 0.15)
    network, inputs = np.ones((1, 1, 9)), np.ones((1, 1, 4))
    for _ in range(1000):
        (a,) = cell.reference([network, inputs, a])
    assert a[0, 0] == pytest.approx(0.15 + 0.01 * (9 - 4))
    for _ in range(1000):
        (a,) = cell.reference([inputs, np.ones((1, 1, 90)), a])
    assert a[0, 0] == 0.0


def test_shapes_are_checked() -> None:
    spikes = TensorType((1, 2, 3))
    with pytest.raises(GraphError, match="spikes"):
        Trace(0.9, 0.1).infer([TensorType((2, 3)), TensorType((2, 3))])
    with pytest.raises(GraphError, match="a has shape"):
        Astrocyte(0.1, 10.0, 0.1).infer([spikes, spikes, TensorType((2, 3))])
