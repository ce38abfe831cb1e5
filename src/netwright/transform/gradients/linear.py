"""Products: the gradient of an einsum is an einsum, with the output and one operand swapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from netwright.errors import UnsupportedError
from netwright.graph.element import type_of
from netwright.graph.op import Access, Einsum, Op
from netwright.graph.ops.linear import MatMul
from netwright.graph.ops.movement import Transpose
from netwright.graph.tensor import TensorId
from netwright.transform.gradients.tape import Rule, Saved, Tape

Names: TypeAlias = tuple[str, ...]


def gradient(einsum: Einsum, operand: int, seed: int) -> Einsum:
    """The einsum of the gradient of one operand of a sum of products.

    d(output)/d(operand) swaps their places: `operand[...] = sum product(seed, other inputs)`, the
    seed (operand number `seed`) read where the output was written, over the same loops.

    Raises:
        UnsupportedError: it is no sum of products.
    """
    if (einsum.map, einsum.reduce) not in (("mul", "add"), ("identity", "add")) or einsum.carry:
        raise UnsupportedError(
            f"differentiate: an einsum of {einsum.map} and {einsum.reduce} is no sum of products"
        )
    target = next(a for a in einsum.inputs if a.operand == operand)
    others = tuple(a for a in einsum.inputs if a is not target)
    sources = (replace(einsum.output, operand=seed), *others)
    return replace(einsum, inputs=sources, output=target, map="mul" if others else "identity")


def names_of(access: Access) -> Names:
    """The loop of every dim; "" where a dim is at a fixed place (it was broadcast).

    Raises:
        UnsupportedError: a dim is indexed by more than one loop.
    """
    found: list[str] = []
    for projection in access.projections:
        if len(projection.terms) > 1 or any(c != 1 for _, c in projection.terms):
            raise UnsupportedError("differentiate: only einsums over plain loops are products")
        found.append(projection.terms[0][0] if projection.terms else "")
    return tuple(found)


def contract(tape: Tape, einsum: Einsum, a: TensorId, b: TensorId) -> TensorId:
    """A sum of products of two operands, as transposes, reshapes and one product of matrices."""
    left, right, out = (names_of(x) for x in (*einsum.inputs, einsum.output))
    kept = tuple(n for n in out if n)
    batch = tuple(n for n in kept if n in left and n in right)
    rows = tuple(n for n in kept if n in left and n not in right)
    columns = tuple(n for n in kept if n in right and n not in left)
    inner = tuple(n for n, _ in einsum.loops if n in left and n in right and n not in kept)
    sizes = {n: e for n, e in einsum.loops if isinstance(e, int)}
    a, turn_a = _matrix(tape, a, left, (batch, rows, inner), sizes)
    b, turn_b = _matrix(tape, b, right, (batch, inner, columns), sizes)
    y = tape.add(MatMul(turn_a, turn_b), a, b)
    order = (*batch, *rows, *columns)
    y = tape.reshape(y, [sizes[n] for n in order])
    y = _transposed(tape, y, order, kept)
    shape = [sizes[n] if n else 1 for n in out]
    return tape.reshape(y, shape)


def _matrix(
    tape: Tape,
    x: TensorId,
    have: Names,
    groups: tuple[Names, Names, Names],
    sizes: Mapping[str, int],
) -> tuple[TensorId, bool]:
    """X as [batch..., first, second], or with those two swapped where it lies that way already."""
    batch, first, second = groups
    swapped = (*batch, *second, *first)
    turned = tuple(n for n in have if n in swapped) == swapped and (*first, *second) != swapped
    if turned:
        first, second = second, first
    x = _arranged(tape, x, have, (*batch, *first, *second), sizes)
    shape = [*(sizes[n] for n in batch), _product(first, sizes), _product(second, sizes)]
    return tape.reshape(x, shape), turned


def _product(group: Names, sizes: Mapping[str, int]) -> int:
    total = 1
    for name in group:
        total *= sizes[name]
    return total


def _arranged(
    tape: Tape, x: TensorId, have: Names, want: Names, sizes: Mapping[str, int]
) -> TensorId:
    """X with only the loops of `want`, in that order: others are summed, fixed dims dropped."""
    x = tape.sum(x, [d for d, n in enumerate(have) if n and n not in want])
    left = tuple(n for n in have if n in want)
    x = tape.reshape(x, [sizes[n] for n in left])
    return _transposed(tape, x, left, tuple(n for n in want if n in left))


def _transposed(tape: Tape, x: TensorId, have: Names, want: Names) -> TensorId:
    if have == want:
        return x
    return tape.add(Transpose(tuple(have.index(n) for n in want)), x)


def _product_gradients(tape: Tape, op: Op, dy: TensorId, scale: float) -> dict[int, TensorId]:
    """Both gradients of the one product einsum that a kind is."""
    types = [None if i is None else type_of(tape.builder.tensors[i]) for i in op.inputs]
    product = op.kind.einsums(types, op.kind.infer(types))[0]
    # Broadcast dims of an operand are summed by `contract` as loops that its output lacks.
    found: dict[int, TensorId] = {}
    scaled = tape.scale(dy, scale)
    for index in (0, 1):
        other = op.inputs[1 - index]
        if tape.wants(op, index) and other is not None:
            swapped = gradient(product, index, len(op.inputs))
            found[index] = contract(tape, swapped, scaled, other)
    return found


def _linear(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Mapping[int, TensorId]:
    found = _product_gradients(tape, op, dy, 1.0)
    rank = len(tape.shape(dy))
    if tape.wants(op, 2):
        found[2] = tape.sum(dy, tuple(range(rank - 1)))
    return found


def _matmul(tape: Tape, op: Op, saved: Saved, dy: TensorId) -> Mapping[int, TensorId]:
    assert isinstance(op.kind, MatMul)
    return _product_gradients(tape, op, dy, op.kind.scale)


LINEAR = Rule(_linear)
MATMUL = Rule(_matmul)
