"""Delay: a shift by whole steps, of all neurons or of each; step by step a queue that is kept."""

from __future__ import annotations

import math

import numpy as np

from netwright.errors import FormatError
from netwright.frontends.nir_file import NirNode
from netwright.frontends.nir_neurons import of_neurons
from netwright.frontends.nir_scope import Array, Scope, array_of
from netwright.graph.ops.elementwise import Binary
from netwright.graph.ops.movement import Concat, Pad, Slice
from netwright.graph.tensor import TensorId

MOST_STEPS = 1 << 16  # that a delay can last


def late_steps(node: NirNode, dt_seconds: float, where: str) -> Array:
    """The delays in steps, as they stand in the file.

    Raises:
        FormatError: one is below 0 or endless.
    """
    steps = np.rint(array_of(node, "delay", where) / dt_seconds)
    if steps.size == 0 or steps.min() < 0 or steps.max() > MOST_STEPS:
        raise FormatError(
            f"{where}: node {node.name!r}: delays of {steps.reshape(-1)[:4]} steps, expected 0 to "
            f"{MOST_STEPS}"
        )
    return steps.astype(np.int64)


def delay(scope: Scope, node: NirNode, x: TensorId, where: str) -> TensorId:
    """Each distinct delay once, of the neurons that have it."""
    inner = scope.inner(x)
    if array_of(node, "delay", where).size == 1:
        return _shifted(scope, node, x, int(late_steps(node, scope.dt_seconds, where).item()))
    of_neurons(node, "delay", inner, where)  # of the right shape
    late = np.broadcast_to(late_steps(node, scope.dt_seconds, where), inner)
    found: TensorId | None = None
    values = np.unique(late)
    if len(values) == 1:
        return _shifted(scope, node, x, int(values[0]))
    for value in values:
        y = _shifted(scope, node, x, int(value))
        mask = scope.constant(f"{node.name}.those_late_{value}", (late == value).astype(float))
        y = scope.builder.add(Binary("mul"), (y, mask))
        found = y if found is None else scope.builder.add(Binary("add"), (found, y))
    assert found is not None
    return found


def _shifted(scope: Scope, node: NirNode, x: TensorId, late: int) -> TensorId:
    if late == 0:
        return x
    if scope.clock is not None:
        queue, y = waiting(scope, f"{node.name}.{late}", scope.inner(x), late)
        enter(scope, queue, x)
        return y
    rank = len(scope.builder.tensors[x].shape)
    late = min(late, scope.steps)
    padded = scope.builder.add(Pad(((late, 0), *(((0, 0),) * (rank - 1)))), (x,))
    shape = (scope.steps, scope.batch, *scope.inner(x))
    return scope.builder.add(Slice((0,) * rank, shape, (1,) * rank), (padded,))


def waiting(
    scope: Scope, name: str, inner: tuple[int, ...], late: int
) -> tuple[TensorId, TensorId]:
    """A queue of values [late, batch, ...], and what leaves it in this step: what came first."""
    shape = (late, scope.batch, *inner)
    dims = tuple((f"d{k}", size) for k, size in enumerate(shape))
    queue = scope.builder.state(f"{name}.queue", dims)
    rank = len(shape)
    first = Slice((0,) * rank, (1, *shape[1:]), (1,) * rank)
    return queue, scope.builder.add(first, (queue,), f"{name}.leaves")


def enter(scope: Scope, queue: TensorId, x: TensorId) -> None:
    """The queue moves on by a step, and `x` enters."""
    shape = tuple(e for e in scope.builder.tensors[queue].shape if isinstance(e, int))
    if math.prod(scope.inner(x)) != math.prod(shape[2:]):
        raise FormatError(f"a delay of {shape[2:]} values is given {scope.inner(x)}")
    x = scope.reshape(x, (1, *shape[1:]))
    if shape[0] > 1:
        starts = (1, *(0,) * (len(shape) - 1))
        rest = Slice(starts, shape, (1,) * len(shape))
        kept = scope.builder.add(rest, (queue,))
        x = scope.builder.add(Concat(0), (kept, x))
    scope.updates.append((queue, x))
