"""The Triton kernels against autograd in float64 and the native core; run by test_lif_triton.py.

With TRITON_INTERPRET=1 in Triton's interpreter on the CPU, without it on the GPU.
"""

import os

import pytest
import torch

from netwright.graph.ops.neuron import If, Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.learn import lif_triton
from netwright.learn.lif import Given, lif
from netwright.learn.lif_reference import lif_reference
from netwright.learn.lif_step import Gradient, step_of
from netwright.learn.lif_triton import lif_on_triton
from netwright.learn.surrogate import FORMULAS, surrogate

DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
PLAIN = Gradient(surrogate())
Tensors = list[torch.Tensor]


def ours(
    x: torch.Tensor, kind: Lif | If, gradient: Gradient, given: Given
) -> tuple[torch.Tensor, torch.Tensor]:
    membrane = kind.membrane()
    decay = torch.tensor(membrane.decay) if given.decay is None else given.decay
    threshold = torch.tensor(membrane.threshold) if given.threshold is None else given.threshold
    step = step_of(kind, gradient)
    return lif_on_triton(x, given.v, decay.to(DEVICE), threshold.to(DEVICE), step)


def results(run, leaves: Tensors, kind: Lif | If, gradient: Gradient) -> Tensors:
    """Spikes, membrane carried on, and every leaf's gradient; leaves: x, decay, threshold, v."""
    leaves = [leaf.detach().requires_grad_() for leaf in leaves]
    v = leaves[3] if len(leaves) == 4 else None
    spikes, after = run(leaves[0], kind, gradient, Given(v, *leaves[1:3]))
    weights = torch.linspace(-1, 1, spikes.numel(), dtype=spikes.dtype, device=spikes.device)
    weights = weights.reshape(spikes.shape)
    ((spikes * weights).sum() + (after * weights[0]).sum()).backward()
    grads = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
    return [spikes.detach(), after.detach(), *grads]


def leaves_of(sizes: tuple[int, int, int], carried: bool, decays: tuple[int, ...]) -> Tensors:
    generator = torch.Generator().manual_seed(sizes[0] * 1009 + sizes[2])
    x = torch.randn(sizes, generator=generator)
    leaves = [x, torch.full(decays, 0.8), torch.full((1,), 0.7)]
    return leaves + ([torch.randn(sizes[1:], generator=generator)] if carried else [])


def same(leaves: Tensors, kind: Lif | If, gradient: Gradient) -> None:
    """Spikes and membranes have the core's bits; gradients are close to those in float64."""
    found = [a.cpu() for a in results(ours, [a.to(DEVICE) for a in leaves], kind, gradient)]
    expected = results(lif_reference, [a.double() for a in leaves], kind, gradient)
    core = results(lif, leaves, kind, gradient)
    assert torch.equal(found[0], core[0])
    assert torch.equal(found[1], core[1])
    assert torch.equal(found[0].double(), expected[0])
    for one, other in zip(found, expected, strict=True):
        largest = 1.0 + float(other.abs().max())
        assert float((one.double() - other).abs().max()) < 1e-5 * largest


@pytest.mark.parametrize("reset", [Reset.NONE, Reset.SUBTRACT, Reset.VALUE])
@pytest.mark.parametrize("delay", [False, True])
def test_gradients_are_those_of_autograd(reset: Reset, delay: bool) -> None:
    for formula in FORMULAS[:: 3 if reset is Reset.NONE and delay else 1]:
        odd = formula.code % 2 == 1
        rule = Discretisation(
            method=Method.EULER if formula.code % 3 == 0 else Method.EXACT,
            reset=reset,
            reset_value=-0.3,
            reset_delay=delay,
            threshold_included=not odd,
            input_scale=0.8,
        )
        gradient = Gradient(surrogate(formula.name), detach_reset=odd is delay)
        kind = Lif(5e-3, 0.7, rule, leak=0.1)
        same(leaves_of((4, 2, 5), formula.code % 4 != 0, (5,)), kind, gradient)


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("detach", [False, True])
def test_reset_to_zero(delay: bool, detach: bool) -> None:
    rule = Discretisation(reset=Reset.ZERO, reset_delay=delay, input_scale=1.0)
    same(leaves_of((5, 2, 11), True, ()), Lif(5e-3, 0.7, rule), Gradient(surrogate(), detach))


@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.VALUE])
@pytest.mark.parametrize("delay", [False, True])
def test_without_the_way_through_time(reset: Reset, delay: bool) -> None:
    rule = Discretisation(reset=reset, reset_value=-0.3, reset_delay=delay, input_scale=1.0)
    gradient = Gradient(surrogate(), through_time=False)
    same(leaves_of((5, 2, 11), True, (11,)), Lif(5e-3, 0.7, rule), gradient)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 1, 129), (2, 70, 1), (2, 40, 5), (3, 2, 64)])
def test_any_size(sizes: tuple[int, int, int]) -> None:
    rule = Discretisation(reset=Reset.SUBTRACT, reset_delay=True, input_scale=1.0)
    same(leaves_of(sizes, sizes[1] > 2, ()), If(0.7, rule), PLAIN)


def test_large_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lif_triton, "FEW_LANES", 1)
    kind = Lif(5e-3, 0.7, Discretisation(reset=Reset.SUBTRACT, input_scale=1.0))
    same(leaves_of((2, 3, 513), True, (513,)), kind, PLAIN)


def layouts(x: torch.Tensor) -> Tensors:
    """The same numbers with time, batch or neurons innermost, and with gaps."""
    batch_first = x.transpose(0, 1).contiguous().transpose(0, 1)
    neuron_first = x.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    time_last = x.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    gaps = torch.zeros(tuple(2 * size + 1 for size in x.shape), device=x.device)[::2, ::2, ::2]
    gaps = gaps[: x.shape[0], : x.shape[1], : x.shape[2]].copy_(x)
    return [x, batch_first, neuron_first, time_last, gaps]


def test_any_layout_gives_the_same_bits() -> None:
    kind = Lif(5e-3, 0.7, Discretisation(reset=Reset.SUBTRACT, input_scale=1.0))
    x, decay, threshold, v = (a.to(DEVICE) for a in leaves_of((4, 3, 8), True, (8,)))
    d_spikes = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    found: list[Tensors] = []
    for index, given in enumerate(layouts(x)):
        assert torch.equal(given, x)
        for d in layouts(d_spikes)[index % 2 :: 2]:
            leaf, state = given.detach().requires_grad_(), v.t().contiguous().t().requires_grad_()
            spikes, after = lif_on_triton(leaf, state, decay, threshold, step_of(kind, PLAIN))
            gradients = torch.autograd.grad([spikes, after], [leaf, state], [d, v])
            found.append([spikes.detach(), after.detach(), *gradients])
    assert len(found) == 13
    for each in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(each, found[0], strict=True))


def test_what_is_written_lies_as_the_input_does() -> None:
    kind = Lif(5e-3, 0.7, Discretisation(reset=Reset.SUBTRACT, input_scale=1.0))
    x = leaves_of((3, 3, 20), False, ())[0].to(DEVICE)
    for given in layouts(x)[:4]:
        spikes, _ = ours(given, kind, PLAIN, Given())
        assert spikes.stride() == given.stride()


def test_repeated_and_absent_gradients() -> None:
    kind = Lif(5e-3, 0.7, Discretisation(reset=Reset.SUBTRACT, input_scale=1.0))
    x = leaves_of((3, 2, 10), False, ())[0].to(DEVICE)
    found: Tensors = []
    for run in (ours, lif_reference):
        leaf = x.detach().requires_grad_()
        spikes, after = run(leaf, kind, PLAIN, Given())
        found += torch.autograd.grad(spikes.sum(), leaf, retain_graph=True)
        found += torch.autograd.grad(after.square().sum(), leaf)
    torch.testing.assert_close(found[0], found[2])
    torch.testing.assert_close(found[1], found[3])


def test_steps_in_two_calls_are_those_of_one() -> None:
    kind = Lif(5e-3, 0.7, Discretisation(reset=Reset.ZERO, reset_delay=True, input_scale=1.0))
    x = leaves_of((5, 2, 10), False, ())[0].to(DEVICE)
    whole, last = ours(x, kind, PLAIN, Given())
    first, carried = ours(x[:2], kind, PLAIN, Given())
    second, after = ours(x[2:], kind, PLAIN, Given(v=carried))
    assert torch.equal(torch.cat([first, second]), whole)
    assert torch.equal(after, last)


def test_nothing_to_do() -> None:
    kind = Lif(5e-3, 0.7)
    for sizes in ((3, 0, 5), (3, 2, 0)):
        leaf = torch.zeros(sizes, device=DEVICE, requires_grad=True)
        spikes, after = ours(leaf, kind, PLAIN, Given())
        (spikes.sum() + after.sum()).backward()
        assert spikes.shape == sizes
        assert leaf.grad is not None
