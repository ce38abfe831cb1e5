"""The fused operator against plain autograd over every step in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import JobError, UnsupportedError
from netwright.graph.ops.neuron import If, Lif
from netwright.graph.ops.neuron_rule import Discretisation, Reset
from netwright.learn.lif import KEPT_FROM_BYTES, Given, lif
from netwright.learn.lif_reference import lif_reference
from netwright.learn.lif_step import Gradient
from netwright.learn.surrogate import FORMULAS, surrogate
from netwright.native import core

PLAIN = Gradient(surrogate())


def both(kind: Lif | If, gradient: Gradient, sizes: tuple[int, int, int], carried: bool) -> None:
    """Spikes equal, states and every gradient close."""
    steps, batch, neurons = sizes
    generator = torch.Generator().manual_seed(steps * 1009 + neurons)
    x = torch.randn(sizes, generator=generator)
    v = torch.randn((batch, neurons), generator=generator) if carried else None
    found: list[list[torch.Tensor]] = []
    for run, dtype in ((lif, torch.float32), (lif_reference, torch.float64)):
        leaves = [x.to(dtype), torch.full((neurons,), 0.8, dtype=dtype)]
        leaves += [torch.full((1,), 0.7, dtype=dtype)] + ([] if v is None else [v.to(dtype)])
        leaves = [leaf.clone().requires_grad_() for leaf in leaves]
        spikes, after = run(leaves[0], kind, gradient, Given(*leaves[3:] or [None], *leaves[1:3]))
        weights = torch.linspace(-1, 1, spikes.numel(), dtype=dtype).reshape(sizes)
        ((spikes * weights).sum() + (after * weights[0]).sum()).backward()
        grads = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
        found.append([spikes, after, *grads])
    assert torch.equal(found[0][0].double(), found[1][0])
    for ours, theirs in zip(*found, strict=True):
        largest = 1.0 + float(theirs.detach().abs().max())
        assert float((ours.detach().double() - theirs.detach()).abs().max()) < 1e-5 * largest


@pytest.mark.parametrize("reset", list(Reset))
@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("detach", [False, True])
def test_gradients_are_those_of_autograd(reset: Reset, delay: bool, detach: bool) -> None:
    for formula in FORMULAS:
        rule = Discretisation(
            reset=reset,
            reset_value=-0.3,
            reset_delay=delay,
            threshold_included=formula.code % 2 == 0,
            input_scale=0.8,
        )
        gradient = Gradient(surrogate(formula.name), detach)
        both(Lif(5e-3, 0.7, rule, leak=0.1), gradient, (7, 2, 11), carried=formula.code % 2 == 1)


@pytest.mark.parametrize("reset", list(Reset))
@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("detach", [False, True])
def test_gradients_without_the_way_through_time(reset: Reset, delay: bool, detach: bool) -> None:
    for formula in FORMULAS:
        rule = Discretisation(
            reset=reset, reset_value=-0.3, reset_delay=delay, input_scale=0.8
        )  # fmt: skip
        gradient = Gradient(surrogate(formula.name), detach, through_time=False)
        both(Lif(5e-3, 0.7, rule, leak=0.1), gradient, (7, 2, 11), carried=formula.code % 2 == 1)


@pytest.mark.parametrize("reset", list(Reset))
@pytest.mark.parametrize("delay", [False, True])
def test_without_time_one_call_is_a_call_a_step(reset: Reset, delay: bool) -> None:
    """The same bits of every input's gradient, whether steps share a call or not."""
    kind = Lif(5e-3, 0.7, Discretisation(reset=reset, reset_delay=delay, input_scale=1.0))
    gradient = Gradient(surrogate(), through_time=False)
    x = torch.randn((6, 3, 13), generator=torch.Generator().manual_seed(2))
    whole, each = x.clone().requires_grad_(), x.clone().requires_grad_()
    weights = torch.linspace(-1, 1, x.numel()).reshape(x.shape)
    (lif(whole, kind, gradient)[0] * weights).sum().backward()
    v = None
    for step in range(len(x)):
        spikes, v = lif(each[step : step + 1], kind, PLAIN, Given(v=v))
        (spikes * weights[step : step + 1]).sum().backward()
        v = v.detach()
    assert whole.grad is not None
    assert each.grad is not None
    assert torch.equal(whole.grad, each.grad)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 40), st.booleans())
def test_any_size(steps: int, batch: int, neurons: int, carried: bool) -> None:
    rule = Discretisation(reset=Reset.SUBTRACT, reset_delay=True, input_scale=1.0)
    both(If(0.7, rule), PLAIN, (steps, batch, neurons), carried)


@pytest.mark.parametrize("reset", list(Reset))
@pytest.mark.parametrize("delay", [False, True])
def test_spikes_are_those_of_the_operator_kind(reset: Reset, delay: bool) -> None:
    """What is trained is what a graph runs."""
    rule = Discretisation(reset=reset, reset_value=0.2, reset_delay=delay, input_scale=1.0)
    kind = Lif(5e-3, 0.75, rule, leak=0.05)
    x = torch.randn((30, 2, 50), generator=torch.Generator().manual_seed(3))
    spikes, after = lif(x, kind, PLAIN)
    expected, state = kind.reference([x.double().numpy(), None])
    np.testing.assert_array_equal(spikes.numpy(), expected)
    np.testing.assert_allclose(after.numpy(), state, rtol=1e-5, atol=1e-6)


def test_any_layout_and_repeated_gradients_give_the_same_bits() -> None:
    kind = Lif(5e-3, 0.7, Discretisation(reset=Reset.SUBTRACT, input_scale=1.0))
    batch_first = torch.randn((3, 20, 33), generator=torch.Generator().manual_seed(5))
    results: list[torch.Tensor] = []
    for x in (batch_first.transpose(0, 1), batch_first.transpose(0, 1).contiguous()):
        leaf = x.detach().requires_grad_()
        spikes, _ = lif(leaf, kind, PLAIN)
        spikes.sum(0).square().sum().backward()
        assert leaf.grad is not None
        results += [spikes.detach(), leaf.grad]
    assert torch.equal(results[0], results[2])
    assert torch.equal(results[1], results[3])


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_bits_do_not_depend_on_threads_or_instruction_set(threads: int) -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((9, 5, 1003), dtype=np.float32)
    rows = generator.uniform(0.2, 0.9, (5, 1003)).astype(np.float32)

    def run(count: int, avx2: bool) -> list[bytes]:
        spikes, u, d_x = np.empty_like(x), np.empty_like(x), np.empty_like(x)
        after, d_v, d_a, d_b = (np.empty_like(x[0]) for _ in range(4))
        core.train_lif_forward(rows, 1, False, x, None, spikes, u, after, count, avx2)
        core.train_lif_backward(
            rows, 1, False, u, None, x, after, d_x, d_v, d_a, d_b, 1, 4.0, False, True, count, avx2
        )
        return [a.tobytes() for a in (spikes, u, after, d_x, d_v, d_a, d_b)]

    expected = run(1, avx2=False)
    assert run(threads, core.has_avx2()) == expected


def test_what_cannot_be_trained_is_refused() -> None:
    x = torch.zeros((2, 1, 3))
    refractory = Lif(5e-3, rule=Discretisation(refractory_steps=2))
    with pytest.raises(UnsupportedError, match="refractory_steps 2"):
        lif(x, refractory, PLAIN)
    with pytest.raises(UnsupportedError, match="float64"):
        lif(x.double(), Lif(5e-3), PLAIN)
    with pytest.raises(UnsupportedError, match="meta"):
        lif(x.to("meta"), Lif(5e-3), PLAIN)
    with pytest.raises(JobError, match="decay is on meta, x on cpu"):
        lif(x, Lif(5e-3), PLAIN, Given(decay=torch.zeros(3, device="meta")))
    with pytest.raises(JobError, match=r"steps, batch, neurons"):
        lif(x[0], Lif(5e-3), PLAIN)
    with pytest.raises(JobError, match="v has shape"):
        lif(x, Lif(5e-3), PLAIN, Given(v=torch.zeros((2, 3))))
    with pytest.raises(JobError, match="decay has shape"):
        lif(x, Lif(5e-3), PLAIN, Given(decay=torch.zeros(2)))


def test_the_core_refuses_arrays_that_do_not_fit() -> None:
    x = np.zeros((2, 3, 8), np.float32)
    rows = np.zeros((5, 8), np.float32)
    for bad in (rows[:4], np.zeros((5, 7), np.float32)):
        with pytest.raises(ValueError, match="neurons"):
            core.train_lif_forward(bad, 0, False, x, None, x.copy(), None, x[0].copy(), 1, True)
    with pytest.raises(ValueError, match="v_last"):
        core.train_lif_forward(rows, 0, False, x, None, x.copy(), None, x[0, :2].copy(), 1, True)
    with pytest.raises(ValueError, match="reset"):
        core.train_lif_forward(rows, 9, False, x, None, x.copy(), None, x[0].copy(), 1, True)


def test_arrays_of_steps_lie_in_memory_that_is_kept() -> None:
    """The next step of training gets the pages of the last one, and none that is still in use."""
    kind = Lif(5e-3, 0.7, Discretisation(input_scale=1.0))
    x = torch.randn((16, 4, KEPT_FROM_BYTES // 256), requires_grad=True)

    def step() -> torch.Tensor:
        spikes = lif(x, kind, PLAIN)[0]
        (gradient,) = torch.autograd.grad(spikes.sum(), x)
        return torch.stack([spikes.detach(), gradient])

    first = step()
    held, _, most = core.train_memory()
    assert most >= held >= 3 * x.numel() * 4
    assert torch.equal(step(), first)
    assert core.train_memory()[0] == held
    kept = [lif(x, kind, PLAIN)[0] for _ in range(3)]
    before = [each.clone() for each in kept]
    step()
    assert len({each.data_ptr() for each in kept}) == 3
    assert all(torch.equal(a, b) for a, b in zip(kept, before, strict=True))


def test_a_sequence_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2\^40 numbers at most"):
        core.train_sequence(1 << 20, 1 << 20, 2)
    assert core.train_sequence(0, 3, 4).shape == (0, 3, 4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5)), max_size=60))
def test_never_more_is_kept_than_was_in_use(moves: list[tuple[bool, int]]) -> None:
    """Arrays are taken and dropped in any order; every one keeps what was written to it."""
    out: list[tuple[int, np.ndarray]] = []
    _, before, _ = core.train_memory()
    for index, (take, pages) in enumerate(moves):
        if take or not out:
            out.append((index, core.train_sequence(pages, 1, 1024)))
            out[-1][1][:] = index
        else:
            del out[index % len(out)]
        assert all((array == written).all() for written, array in out)
        kept, in_use, most = core.train_memory()
        assert in_use == before + sum(array.nbytes for _, array in out)
        assert kept + in_use <= most
