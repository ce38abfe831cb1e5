"""Checks that hold for every operator kind: inferred type, and einsums against the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.graph.evaluate import evaluate
from netwright.graph.op import Array, OpKind, TensorType, element_of


def types_of(arrays: Sequence[Array | None]) -> list[TensorType | None]:
    return [None if a is None else TensorType(tuple(a.shape), element_of(a)) for a in arrays]


def run(kind: OpKind, *arrays: Array | None) -> tuple[Array, ...]:
    """The reference, after checking that its outputs are what `infer` says."""
    types = kind.infer(types_of(arrays))
    results = kind.reference(arrays)
    assert len(types) == len(results)
    for inferred, result in zip(types, results, strict=True):
        assert TensorType(tuple(result.shape), element_of(result)) == inferred
    return results


def check_einsums(kind: OpKind, *arrays: Array | None) -> None:
    """The cascade, evaluated as written, gives what the reference gives."""
    types = types_of(arrays)
    outputs = kind.infer(types)
    cascade = kind.einsums(types, outputs)
    operands = {i: a for i, a in enumerate(arrays) if a is not None}
    shapes = {len(arrays) + i: t.shape for i, t in enumerate(outputs)}
    values = evaluate(cascade, operands, shapes, {})  # type: ignore[arg-type]
    for i, expected in enumerate(kind.reference(arrays)):
        np.testing.assert_allclose(values[len(arrays) + i], expected, rtol=1e-10, atol=1e-12)
