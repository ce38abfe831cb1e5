"""Feedforward computation by parallel rounds: sampling from a trained MADE, states of an RNN.

With the noise fixed, every pixel of a sample is a function of those before it. All are evaluated at
once on the native runtime until none changes: the same sample, bit for bit, in fewer evaluations.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from netwright.graph.build import Builder
from netwright.graph.ops.elementwise import Binary, Cast, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.movement import Concat, Slice
from netwright.graph.tensor import TensorId
from netwright.job.job import Infer
from netwright.learn.digits import digits
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.fixed_point import block_jacobi, equations, jacobi
from netwright.run.native import NativeRuntime
from netwright.study import Claim, Finding, Paper, Study, at_least, exactly, main

PIXELS, HIDDEN, STEPS, STATES = 14 * 14, 512, 196, 64
EXACT = Claim("samples equal to those drawn pixel by pixel, share", "abstract", 1.0, exactly(1.0))
SMALLER = "digits of 14 x 14 pixels, one hidden layer"
MADE = Claim(
    "MADE: evaluations pixel by pixel over rounds of Jacobi, mean over samples",
    "abstract (2.1 to 26)", 2.1, at_least(2.1), smaller=SMALLER,
)  # fmt: skip
HYBRID = Claim(
    "MADE: the same by Gauss-Seidel over rows of pixels, Jacobi inside",
    "abstract (2.1 to 26)", 2.1, at_least(2.1), smaller=SMALLER,
)  # fmt: skip
RNN = Claim(
    "RNN: steps over rounds until no state changes by more than 1e-6",
    "abstract (2.1 to 26)", 2.1, at_least(2.1), smaller="64 untrained units, states only",
)  # fmt: skip


def trained(steps: int) -> tuple[list[NDArray[np.float32]], float]:
    """A MADE's masked weights and biases, and nats a digit held back."""
    torch.manual_seed(3)  # pyright: ignore[reportUnknownMemberType]
    found = digits()
    small = [a.reshape(-1, 14, 2, 14, 2).mean((2, 4)) for a in (found.train[0], found.test[0])]
    seen, held = (torch.tensor((a > 0.5).reshape(-1, PIXELS), dtype=torch.float32) for a in small)
    degree = torch.arange(HIDDEN) % (PIXELS - 1)
    masks = (degree[:, None] >= torch.arange(PIXELS)), (torch.arange(PIXELS)[:, None] > degree)
    layers = [torch.nn.Linear(PIXELS, HIDDEN), torch.nn.Linear(HIDDEN, PIXELS)]
    weights = [p for layer in layers for p in layer.parameters()]

    def loss(x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(x @ (weights[0] * masks[0]).T + weights[1])
        y = y @ (weights[2] * masks[1]).T + weights[3]
        return torch.nn.functional.binary_cross_entropy_with_logits(y, x) * PIXELS

    optimiser = torch.optim.Adam(weights, 2e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(seen[torch.randint(len(seen), (100,))]).backward()  # pyright: ignore[reportUnknownMemberType]
        optimiser.step()  # pyright: ignore[reportUnknownMemberType]
    masked = [weights[0] * masks[0], weights[1], weights[2] * masks[1], weights[3]]
    return [w.detach().numpy() for w in masked], float(loss(held).detach())


def runtime_of(b: Builder, outputs: tuple[TensorId, ...]) -> NativeRuntime:
    """The built network, planned and loaded."""
    machine = library_machine("raspberry-pi-5")
    return NativeRuntime(make_plan(b.finish(outputs), machine, Infer()).program)


def made(weights: list[NDArray[np.float32]]) -> NativeRuntime:
    """Input s and noise u: 1 where u lies below the probability of the pixel, else 0."""
    b = Builder("made")
    s, u = (b.input(name, (("b", 1), ("t", PIXELS))) for name in ("s", "u"))
    shapes = ((("h", HIDDEN), ("t", PIXELS)), (("h", HIDDEN),))
    w1, b1 = (b.weight(f"a{i}", shapes[i], data=(weights[i],)) for i in range(2))
    w2 = b.weight("a2", (("t", PIXELS), ("h", HIDDEN)), data=(weights[2],))
    b2 = b.weight("a3", (("t", PIXELS),), data=(weights[3],))
    hidden = b.add(Linear(function=Function("relu")), (s, w1, b1))
    chance = b.add(Unary(Function("sigmoid")), (b.add(Linear(), (hidden, w2, b2)),))
    drawn = b.add(Cast("float"), (b.add(Binary("less"), (u, chance)),), name="drawn")
    return runtime_of(b, (drawn,))


def recurrent() -> NativeRuntime:
    """Input s [steps, states] and drive u: tanh(W s one step earlier + u), PyTorch's first W."""
    b, most = Builder("rnn"), STATES**-0.5
    matrix = np.random.default_rng(4).uniform(-most, most, (STATES, STATES))
    s, u = (b.input(name, (("t", STEPS), ("h", STATES))) for name in ("s", "u"))
    first = b.weight("first", (("t", 1), ("h", STATES)), data=(np.zeros((1, STATES)),))
    w = b.weight("w", (("n", STATES), ("h", STATES)), data=(matrix,))
    earlier = b.add(Slice((0, 0), (STEPS - 1, STATES), (1, 1)), (s,))
    shifted = b.add(Concat(0), (first, earlier))
    summed = b.add(Linear(), (shifted, w, None, u))
    return runtime_of(b, (b.add(Unary(Function("tanh")), (summed,), name="next"),))


def sampled(runtime: NativeRuntime, count: int) -> Iterator[tuple[bool, int, int]]:
    """Of each sample: whether all ways agree, and the rounds by Jacobi and by the hybrid."""
    for noise in np.random.default_rng(11).random((count, 1, PIXELS), np.float32):
        update = equations(runtime, "forward", "s", {"u": noise}, "drawn")
        start = np.zeros((1, PIXELS), np.float32)
        one, all_, rows = (block_jacobi(update, start, size) for size in (1, PIXELS, 14))
        same = all(np.array_equal(one.values, each.values) for each in (all_, rows))
        yield same and one.rounds == PIXELS, all_.rounds, rows.rounds


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: fewer steps of training and samples."""
    weights, loss = trained(3000 if full else 20)
    yield f"MADE: {loss:.1f} nats a digit held back"
    found = list(sampled(made(weights), 100 if full else 2))
    yield EXACT.shown(fmean(same for same, _, _ in found))
    yield MADE.shown(PIXELS / fmean(r for _, r, _ in found), f"{PIXELS} pixels")
    yield HYBRID.shown(PIXELS / fmean(r for _, _, r in found), "blocks of 14 pixels")
    drive = np.random.default_rng(2).standard_normal((STEPS, STATES)).astype(np.float32)
    update = equations(recurrent(), "forward", "s", {"u": drive}, "next")
    start = np.zeros((STEPS, STATES), np.float32)
    near, exact = jacobi(update, start, axis=0, tolerance=1e-6), jacobi(update, start, axis=0)
    yield RNN.shown(STEPS / near.rounds, f"to the last bit: {STEPS / exact.rounds:.1f}")


study = Study(
    paper=Paper(
        title="Accelerating Feedforward Computation via Parallel Nonlinear Equation Solving",
        authors="Song, Meng, Liao, Ermon",
        year=2021,
        venue="ICML",
        link="https://arxiv.org/abs/2002.03629",
    ),
    shows="Rounds of Jacobi and of blocks against one after the other, on the native runtime.",
    scale="A MADE trained on 4,000 digits of 14 x 14 pixels; an RNN of 64 units and 196 steps.",
    claims=(EXACT, MADE, HYBRID, RNN),
    show=show,
    differences=(
        "Ratios of rounds, which is the gain in time where all equations are evaluated at once.",
        "The least gain of the paper's range is asked; the last round, which only checks, counts.",
    ),
)

if __name__ == "__main__":
    main(study)
