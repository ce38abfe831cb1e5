"""A small GPT, cut into chunks, against torch autograd and torch optimisers over steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.transform.torch_gpt import torch_loss, weights_of

from netwright.errors import GraphError, JobError
from netwright.graph.build import Builder, encoded
from netwright.graph.format import FP64
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.graph.ops.elementwise import Binary
from netwright.graph.tensor import TensorId
from netwright.graph.zoo.gpt import GptSizes, gpt
from netwright.job.train import AdamW, Sgd, Train
from netwright.transform.cut import cut, cut_places, shared_weights
from netwright.transform.differentiate import differentiate
from netwright.transform.loss import with_cross_entropy
from netwright.transform.optimise import optimiser_step

Array = NDArray
SIZES = GptSizes(vocabulary=11, width=8, layers=3, heads=2, tokens=5, batch=2, tied=False)


class Chunked:
    """The chunks of a network by the interpreter: forward, input and weight gradients in turn."""

    def __init__(self, parts: tuple[Graph, ...]) -> None:
        self.parts = parts
        self.found = [differentiate(part) for part in parts]

    def step(self, w: dict[str, Array], data: dict[str, Array]) -> tuple[float, dict[str, Array]]:
        values: list[dict[TensorId, Array]] = []
        entry: Array | None = None
        for part, found in zip(self.parts, self.found, strict=True):
            known = {i: data[part[i].name] for i in part.inputs if part[i].name in data}
            if entry is not None:
                known[part.inputs[0]] = entry
            self.run(found.forward, known, w)
            entry = known[part.outputs[0]]
            values.append(known)
        loss, seed = float(entry), np.asarray(1.0)  # type: ignore[arg-type]
        gradients: dict[str, Array] = {}
        for part, found, known in zip(
            reversed(self.parts), reversed(self.found), reversed(values), strict=True
        ):
            known[found.seeds[0][1]] = seed
            self.run(found.input_gradient, known, w)
            if found.inputs:
                ((place, of),) = found.inputs
                assert place == part.inputs[0]
                seed = known[of]
            self.run(found.weight_gradient, known, w)
            gradients.update({found.forward[p].name: known[of] for p, of in found.weights})
        return loss, gradients

    @staticmethod
    def run(graph: Graph, known: dict[TensorId, Array], w: dict[str, Array]) -> None:
        """Weights come in by name here, so that they can change."""
        b = {graph[i].name: known[i] for i in graph.inputs}
        outputs, _ = interpret(with_weights(graph, w), b, {}, {})
        known.update({i: outputs[graph[i].name] for i in graph.outputs})


def with_weights(graph: Graph, w: dict[str, Array]) -> Graph:
    tensors = tuple(
        replace(t, format=FP64, data=(encoded(FP64, w[t.name]),)) if t.name in w else t
        for t in graph.tensors
    )
    return replace(graph, tensors=tensors)


def batch_of(step: int) -> dict[str, Array]:
    random = np.random.default_rng(step)
    shape = (SIZES.batch, SIZES.tokens)
    return {name: random.integers(0, SIZES.vocabulary, shape) for name in ("tokens", "targets")}


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_chunks_give_the_gradients_of_the_whole(data: st.DataObject) -> None:
    graph = with_cross_entropy(gpt(SIZES))
    possible = list(cut_places(graph))
    places = sorted(data.draw(st.sets(st.sampled_from(possible), max_size=3)))
    chunked = Chunked(cut(graph, places))
    assert len(chunked.parts) == len(places) + 1
    w = weights_of(graph)
    leaves = {name: torch.tensor(a, requires_grad=True) for name, a in w.items()}
    given = batch_of(1)
    expected = torch_loss(SIZES, leaves, given["tokens"], given["targets"])
    expected.backward()
    loss, gradients = chunked.step(w, given)
    np.testing.assert_allclose(loss, expected.item(), rtol=1e-9)
    assert set(gradients) == set(w)
    for name, leaf in leaves.items():
        np.testing.assert_allclose(gradients[name], leaf.grad, rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    "optimiser",
    [Sgd(0.1, 0.9, 0.01), Sgd(0.05, 0.0), AdamW(0.01), AdamW(0.02, 0.8, 0.95, 1e-6, 0.0)],
)
def test_steps_follow_the_optimisers_of_torch(optimiser: Sgd | AdamW) -> None:
    graph = with_cross_entropy(gpt(SIZES))
    chunked = Chunked(cut(graph, cut_places(graph)[5:6]))
    w = weights_of(graph)
    names = sorted(w)
    leaves = {name: torch.tensor(w[name], requires_grad=True) for name in names}
    other: torch.optim.Optimizer
    if isinstance(optimiser, Sgd):
        other = torch.optim.SGD(leaves.values(), optimiser.rate, optimiser.momentum,
                                weight_decay=optimiser.weight_decay)  # fmt: skip
    else:
        other = torch.optim.AdamW(leaves.values(), optimiser.rate,
                                  (optimiser.beta1, optimiser.beta2), optimiser.epsilon,
                                  optimiser.weight_decay)  # fmt: skip
    tensors = {t.name: t for part in chunked.parts for t in part.tensors}
    update = optimiser_step([tensors[name] for name in names], optimiser)
    kept: dict[str, Array] = {}
    for step in range(4):
        given = batch_of(step)
        other.zero_grad()
        expected = torch_loss(SIZES, leaves, given["tokens"], given["targets"])
        expected.backward()
        other.step()
        loss, gradients = chunked.step(w, given)
        np.testing.assert_allclose(loss, expected.item(), rtol=1e-7)
        inputs = {"rate": np.asarray(optimiser.rate)}
        for i, name in enumerate(names):
            inputs |= {f"w{i}": w[name], f"d_w{i}": gradients[name]}
        outputs, kept = interpret(update, inputs, {}, kept)
        w = {name: outputs[f"new_w{i}"] for i, name in enumerate(names)}
    for name, leaf in leaves.items():
        np.testing.assert_allclose(w[name], leaf.detach(), rtol=1e-5, atol=1e-7, err_msg=name)


def test_where_a_network_can_be_cut() -> None:
    untied, tied = (
        with_cross_entropy(gpt(GptSizes(tied=tied, layers=2, vocabulary=8)))
        for tied in (False, True)
    )
    assert len(cut_places(untied)) > 6
    assert cut_places(tied) == cut_places(untied)  # a shared weight goes with both sides
    places = cut_places(tied)[2:6:3]
    (holders,) = shared_weights(tied, places)
    assert [chunk for chunk, _ in holders] == [0, 2]
    parts = cut(tied, places)
    assert {parts[chunk][place].name for chunk, place in holders} == {"embedding"}
    assert shared_weights(untied, places) == ()
    assert shared_weights(tied, ()) == ()
    with pytest.raises(GraphError, match="one activation alone may go over"):
        cut(tied, (4,))
    place = cut_places(untied)[0]
    with pytest.raises(GraphError, match="expected rising places"):
        cut(untied, (place, place))
    b = Builder("pair")
    x = b.input("x", (("n", 2),))
    y = b.add(Binary("add"), (x, x))
    with pytest.raises(GraphError, match="one output of rows of logits"):
        with_cross_entropy(b.finish((y,)))


def test_what_a_job_refuses() -> None:
    with pytest.raises(JobError, match="microbatches is 0, expected at least 1"):
        Train(microbatches=0)
    with pytest.raises(JobError, match=r"link delay -1\.0 s, expected 0 to 60"):
        Train(link_delay_seconds=-1.0)
