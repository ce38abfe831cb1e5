"""Step by step gives the gradients of all steps at once, and holds what one step needs."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

from netwright.errors import JobError
from netwright.graph.ops.neuron import Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.learn.held import held_for_backward
from netwright.learn.lif_step import Gradient
from netwright.learn.network import Readout, SpikingLayer, SpikingNetwork
from netwright.learn.rule import Batch, Counted, EachStep, Rule, Spatial
from netwright.learn.surrogate import surrogate

KIND = Lif(1.0, 1.0, Discretisation(0.5, Method.EULER, Reset.SUBTRACT, input_scale=1.0))


def network(through_time: bool, readout: bool = True) -> SpikingNetwork:
    torch.manual_seed(2)
    gradient = Gradient(surrogate(), through_time=through_time)
    layers = [SpikingLayer(i, n, KIND, gradient, gain=3.0) for i, n in ((20, 16), (16, 8))]
    return SpikingNetwork(layers, Readout(8, 3) if readout else None)


def batch(steps: int, samples: int = 5) -> Batch:
    generator = torch.Generator().manual_seed(steps)
    spikes = (torch.rand((steps, samples, 20), generator=generator) < 0.4).float()
    return Batch(spikes, torch.arange(samples) % 3, 2.0)


def gradients(rule: Rule, net: SpikingNetwork, given: Batch) -> list[torch.Tensor]:
    rule.learn(net, given, np.random.default_rng(0))
    return [torch.zeros(()) if p.grad is None else p.grad for p in net.parameters()]


@pytest.mark.parametrize("readout", [False, True])
def test_spatial_is_each_step_without_time(readout: bool) -> None:
    given = batch(6)
    ours = gradients(Spatial(), network(True, readout), given)
    theirs = gradients(EachStep(), network(False, readout), given)
    through = gradients(EachStep(), network(True, readout), given)
    for one, other, back in zip(ours, theirs, through, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)
        if one.shape[1] != 8:  # the readout has no past
            assert not torch.allclose(one, back, rtol=1e-3)


def test_answers_agree() -> None:
    given, random = batch(4), np.random.default_rng(0)
    found = [rule.learn(network(True), given, random) for rule in (Spatial(), EachStep())]
    torch.testing.assert_close(found[0].logits, found[1].logits)
    assert found[0].loss == pytest.approx(found[1].loss, rel=1e-6)
    torch.testing.assert_close(
        Counted().learn(network(True), given, random).logits, found[0].logits
    )


def test_learning_some_steps_is_right_on_average() -> None:
    """Each of T steps alone, over all T: the mean is 1 / T of the whole gradient."""
    steps = 4
    given = batch(steps)
    whole = gradients(Spatial(), network(True), given)
    net, drawn = network(True), set[int]()
    for seed in range(40):
        step = int(np.random.default_rng(seed).permutation(steps)[0])
        if step not in drawn:
            drawn.add(step)
            Spatial(learnt_steps=1).learn(net, given, np.random.default_rng(seed))
    assert len(drawn) == steps
    for one, parameter in zip(whole, net.parameters(), strict=True):
        torch.testing.assert_close(one, parameter.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("steps", [0, 5])
def test_steps_that_are_not_there_are_refused(steps: int) -> None:
    with pytest.raises(JobError, match=f"{steps} learnt steps of 4"):
        Spatial(steps).learn(network(True), batch(4), np.random.default_rng(0))


@pytest.mark.parametrize("learnt", [None, 1, 3])
@pytest.mark.parametrize("at_once", [2, 3, 7])
def test_steps_at_once_learn_the_same(learnt: int | None, at_once: int) -> None:
    given = batch(7)
    alone, together = network(True), network(True)
    first = Spatial(learnt).learn(alone, given, np.random.default_rng(3))
    second = Spatial(learnt, at_once).learn(together, given, np.random.default_rng(3))
    torch.testing.assert_close(first.logits, second.logits, rtol=1e-6, atol=1e-6)
    assert first.loss == pytest.approx(second.loss, rel=1e-6)
    for one, other in zip(alone.parameters(), together.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.ZERO])
def test_runs_carry_the_very_membrane(reset: Reset, delay: bool) -> None:
    """Weights are eighths, so that no sum is rounded: bit for bit, however the steps are cut."""
    rule = Discretisation(0.5, Method.EULER, reset, input_scale=1.0, reset_delay=delay)
    kind, gradient = Lif(1.0, 1.0, rule), Gradient(surrogate("triangle"))
    torch.manual_seed(4)
    net = SpikingNetwork(
        [SpikingLayer(i, n, kind, gradient, gain=3.0) for i, n in ((20, 9), (9, 4))]
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.round(parameter * 8) / 8)
    spikes = batch(9).spikes
    whole, last = net.run(spikes)
    torch.testing.assert_close(whole, net(spikes), rtol=0, atol=0)
    assert 0 < float(whole.detach().mean()) < 1
    for cut in range(1, 9):
        head, carried = net.run(spikes[:cut])
        tail, after = net.run(spikes[cut:], carried)
        torch.testing.assert_close(torch.cat([head, tail]), whole, rtol=0, atol=0)
        torch.testing.assert_close(after, last, rtol=0, atol=0)
        # Gradients of parts add up to the whole's: nothing flows between steps.
        net.zero_grad()
        torch.autograd.backward([head.sum(), tail.sum()])
        parts = [parameter.grad for parameter in net.parameters()]
        net.zero_grad()
        torch.autograd.backward(net.run(spikes)[0].sum())
        for one, parameter in zip(parts, net.parameters(), strict=True):
            torch.testing.assert_close(one, parameter.grad, rtol=1e-5, atol=1e-6)


def test_no_step_at_once_is_refused() -> None:
    with pytest.raises(JobError, match="0 steps at once"):
        Spatial(steps_at_once=0)


def test_held_bytes_by_hand() -> None:
    """A product holds both factors, a square its root, and nothing is left after the way back."""
    x, y = torch.ones(10, requires_grad=True), torch.ones(10)
    with held_for_backward() as held:
        z = ((x * y) * y).square().sum()
        assert held.now_bytes == 2 * 40  # y once, and the root
        z.backward()
        del z
        gc.collect()
        assert held.now_bytes == 0
    assert held.peak_bytes == 80


def test_step_by_step_holds_the_same_for_any_number_of_steps() -> None:
    def peak(rule: Rule, steps: int) -> int:
        with held_for_backward() as held:
            rule.learn(network(True), batch(steps), np.random.default_rng(0))
        return held.peak_bytes

    assert peak(Spatial(), 3) == peak(Spatial(), 24)
    assert peak(Spatial(steps_at_once=3), 6) == peak(Spatial(steps_at_once=3), 24)
    assert peak(Spatial(1, 24), 24) == peak(Spatial(), 3)  # what does not learn holds nothing
    assert peak(EachStep(), 24) > 6 * peak(EachStep(), 3)
