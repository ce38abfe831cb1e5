"""Optimise: one step of an optimiser as a graph, weight by weight, elementwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from netwright.graph.build import Builder
from netwright.graph.format import FP32
from netwright.graph.graph import Graph
from netwright.graph.ops.elementwise import Binary, Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.position import StateUpdate
from netwright.graph.tensor import Role, Tensor, TensorId
from netwright.job.train import AdamW, Optimiser, Sgd
from netwright.transform.gradients.tape import Tape

_Rule: TypeAlias = Callable[["_Step", int, TensorId, TensorId], TensorId]


def optimiser_step(weights: Sequence[Tensor], optimiser: Optimiser, late: int = 0) -> Graph:
    """New weights from weights and gradients; moments are kept between calls (role optimiser).

    Inputs: `w0`, `w1`, ... and their gradients `d_w0`, ...; the scalar `rate`. Outputs: `new_w0`,
    .... States start at zero. `late`: of SGD's gradients, the updates that spike compensation makes
    up for (arXiv 2003.11666).
    """
    step = _Step(Builder("optimiser"), optimiser, late)
    outputs: list[TensorId] = []
    rule: _Rule = _sgd if isinstance(optimiser, Sgd) else _adamw
    for index, tensor in enumerate(weights):
        dims = [(d.name, d.size) for d in tensor.dims]
        weight = step.builder.input(f"w{index}", dims, FP32)
        gradient = step.builder.input(f"d_w{index}", dims, FP32)
        outputs.append(rule(step, index, weight, gradient))
    return step.builder.finish(outputs)


class _Step:
    """The graph so far, the rate, and what belongs to no weight alone."""

    def __init__(self, builder: Builder, optimiser: Optimiser, late: int) -> None:
        self.builder = builder
        self.late = late
        self.optimiser = optimiser
        self.tape = Tape(builder, set())
        self.rate = builder.input("rate", (), FP32)
        self.corrections = self._corrections()

    def state(
        self, name: str, like: TensorId | None, value: Callable[[TensorId], TensorId]
    ) -> TensorId:
        """A kept value and what it becomes."""
        dims = [] if like is None else [(d.name, d.size) for d in self.builder.tensors[like].dims]
        old = self.builder.tensor(name, dims, FP32, Role.OPTIMISER)
        return self.builder.add(StateUpdate(), (old, value(old)), f"{name}_next")

    def mixed(self, old: TensorId, new: TensorId, keep: float) -> TensorId:
        """Keep old + (1 - keep) new."""
        part = self.tape.scale(new, 1.0 - keep)
        return self.tape.add(Binary("add"), self.tape.scale(old, keep), part)

    def _corrections(self) -> Mapping[str, TensorId]:
        """1 - beta^t for both moments: c becomes beta c + 1 - beta."""
        if not isinstance(self.optimiser, AdamW):
            return {}
        self.tape.name = "correction"
        return {
            name: self.state(
                f"{name}_correction",
                None,
                lambda old, beta=beta: self.tape.add(
                    Unary(Function("scale", beta, 1.0 - beta)), old
                ),
            )
            for name, beta in (("first", self.optimiser.beta1), ("second", self.optimiser.beta2))
        }


def _sgd(step: _Step, index: int, weight: TensorId, gradient: TensorId) -> TensorId:
    """V = momentum v + g + decay w; w - rate v (Sutskever et al., ICML 2013, as in PyTorch).

    Of a gradient that is D updates late: w - rate (m^D v + (1 - m^D) / (1 - m) g).
    """
    kind, tape = step.optimiser, step.tape
    assert isinstance(kind, Sgd)
    tape.name = f"w{index}"
    if kind.weight_decay:
        gradient = tape.add(Binary("add"), gradient, tape.scale(weight, kind.weight_decay))
    if kind.momentum:
        velocity = step.state(
            f"velocity{index}",
            weight,
            lambda old: tape.add(Binary("add"), tape.scale(old, kind.momentum), gradient),
        )
        past = kind.momentum**step.late
        missed = step.late if kind.momentum == 1.0 else (1.0 - past) / (1.0 - kind.momentum)
        gradient = (
            tape.add(Binary("add"), tape.scale(velocity, past), tape.scale(gradient, missed))
            if step.late
            else velocity
        )
    moved = tape.multiply(gradient, step.rate)
    return step.builder.add(Binary("sub"), (weight, moved), f"new_w{index}")


def _adamw(step: _Step, index: int, weight: TensorId, gradient: TensorId) -> TensorId:
    """Loshchilov and Hutter, arXiv 1711.05101, algorithm 2, decay times rate as in PyTorch."""
    kind, tape = step.optimiser, step.tape
    assert isinstance(kind, AdamW)
    tape.name = f"w{index}"
    first = step.state(f"first{index}", weight, lambda old: step.mixed(old, gradient, kind.beta1))
    square = tape.multiply(gradient, gradient)
    second = step.state(f"second{index}", weight, lambda old: step.mixed(old, square, kind.beta2))
    mean = tape.add(Binary("div"), first, step.corrections["first"])
    spread = tape.add(Binary("div"), second, step.corrections["second"])
    root = tape.add(Unary(Function("sqrt")), spread)
    denominator = tape.add(Unary(Function("scale", 1.0, kind.epsilon)), root)
    direction = tape.add(Binary("div"), mean, denominator)
    if kind.weight_decay:
        direction = tape.add(Binary("add"), direction, tape.scale(weight, kind.weight_decay))
    moved = tape.multiply(direction, step.rate)
    return step.builder.add(Binary("sub"), (weight, moved), f"new_w{index}")
