"""Reuse against counts by hand, and the laws of its weighting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import GraphError
from netwright.graph.analysis import analyse
from netwright.graph.reuse import Reuse, reuse_of
from netwright.graph.zoo.mlp import mlp
from netwright.graph.zoo.mobilenet import mobilenet_v1

words = st.integers(1, 10**9)


def test_a_perceptron_by_hand() -> None:
    found = reuse_of(analyse(mlp((30, 20, 10), batch=4, seed=None), {}))
    assert found.macs == 4 * (30 * 20 + 20 * 10)
    # Biases are weights, too.
    assert found.weights in (600 + 200, 600 + 200 + 30)
    assert found.activations == 4 * (30 + 20 + 20 + 10)


def test_mobilenet_is_as_its_paper_counts_it() -> None:
    found = reuse_of(analyse(mobilenet_v1(seed=None), {}))
    assert found.macs == pytest.approx(569e6, rel=0.001)  # arXiv 1704.04861, table 4
    assert found.weights == pytest.approx(4.2e6, rel=0.015)


@given(words, words, words, st.floats(0, 1))
def test_weighting(macs: int, weights: int, activations: int, share: float) -> None:
    reuse = Reuse(macs, weights, activations)
    assert reuse.intensity == pytest.approx(macs / (weights + activations))
    ends = sorted((reuse.weighted(0.0), reuse.weighted(1.0)))
    assert ends[0] * (1 - 1e-9) <= reuse.weighted(share) <= ends[1] * (1 + 1e-9)
    assert reuse.weighted(1.0) == pytest.approx(macs / (2 * weights))


def test_a_share_is_from_0_to_1() -> None:
    with pytest.raises(GraphError, match="0 to 1"):
        Reuse(1, 1, 1).weighted(1.5)
    assert Reuse(0, 0, 0).intensity == 0.0
