"""The einsum cascades of LSTM and GRU: steps `s` carry, gates are slices of one product.

Loops: `s` step, `d` direction, `b` batch, `i` input, `h` hidden unit, `k` the hidden unit summed
over, `q` one row of the stacked gates. Written in the direction of the steps; the step before the
first reads as zero (initial states, where given, stand there).
Source: Hochreiter and Schmidhuber (1997), Cho et al. (arXiv 1406.1078), in ONNX gate order.
"""

from __future__ import annotations

from collections.abc import Sequence

from netwright.graph.extent import Extent
from netwright.graph.op import Access, Einsum, Projection, TensorType
from netwright.graph.ops.cascade import Index, Loops, access

_BEFORE = Projection((("s", 1),), -1)


def _row(offset: int, loop: str = "h") -> Projection:
    return Projection(((loop, 1),), offset)


def _over(outputs: Sequence[TensorType]) -> Loops:
    steps, number, batch, hidden = outputs[0].shape
    return (("s", steps), ("d", number), ("b", batch), ("h", hidden))


def _value(operand: int, step: Index = "s", unit: Index = "h") -> Access:
    return access(operand, (step, "d", "b", unit))


def _product(over: Loops, rows: int, inputs: Extent, x: Access, w: Access, to: int) -> Einsum:
    """to[s, d, b, q] = sum of x * w over the inner loop `i`."""
    return Einsum((*over[:3], ("q", rows), ("i", inputs)), (x, w), _value(to, unit="q"))


def _last(over: Loops, source: int, output: int) -> Einsum:
    """output[d, b, h] = source at the last step."""
    steps = over[0][1]
    at: Index = steps - 1 if isinstance(steps, int) else Projection((), -1)
    return Einsum(over[1:], (_value(source, at),), access(output, ("d", "b", "h")), "identity")


def lstm_cascade(
    hidden: int, types: Sequence[TensorType | None], outputs: Sequence[TensorType]
) -> tuple[Einsum, ...]:
    """Eleven intermediates: products -1 -2, sum -3, gates -4..-7, cell -10."""
    x = types[0]
    assert x is not None
    over, rows, y = _over(outputs), 4 * hidden, len(types)
    carry = ("s",)
    past = access(y, (_BEFORE, "d", "b", "i"))
    parts = [_value(-1, unit="q"), _value(-2, unit="q")]
    if len(types) > 3 and types[3] is not None:
        parts += [access(3, ("d", "q")), access(3, ("d", _row(rows, "q")))]
    gates = (*over[:3], ("q", rows))
    weight, recurrent = access(1, ("d", "q", "i")), access(2, ("d", "q", "i"))
    loop = Einsum((*gates, ("i", hidden)), (past, recurrent), _value(-2, unit="q"), carry=carry)
    names = ("sigmoid", "sigmoid", "sigmoid", "tanh")
    return (
        _product(over, rows, x.shape[2], access(0, ("s", "b", "i")), weight, -1),
        loop,
        Einsum(gates, tuple(parts), _value(-3, unit="q"), "add"),
        *(
            Einsum(over, (_value(-3, unit=_row(n * hidden)),), _value(-4 - n), name)
            for n, name in enumerate(names)
        ),
        Einsum(over, (_value(-4), _value(-7)), _value(-8)),
        Einsum(over, (_value(-6), _value(-10, _BEFORE)), _value(-9), carry=carry),
        Einsum(over, (_value(-8), _value(-9)), _value(-10), "add"),
        Einsum(over, (_value(-10),), _value(-11), "tanh"),
        Einsum(over, (_value(-5), _value(-11)), _value(y)),
        _last(over, y, y + 1),
        _last(over, -10, y + 2),
    )


def gru_cascade(
    hidden: int,
    linear_before_reset: bool,
    types: Sequence[TensorType | None],
    outputs: Sequence[TensorType],
) -> tuple[Einsum, ...]:
    """Products -1 (x) and -2 (past, gates z r), gates -4 -5, candidate -9, blend -10..-12."""
    x = types[0]
    assert x is not None
    over, y, carry = _over(outputs), len(types), ("s",)
    biased = len(types) > 3 and types[3] is not None
    past = access(y, (_BEFORE, "d", "b", "i"))
    two = (*over[:3], ("q", 2 * hidden))
    first = [_value(-1, unit="q"), _value(-2, unit="q")]
    if biased:
        first += [access(3, ("d", "q")), access(3, ("d", _row(3 * hidden, "q")))]
    steps = [
        _product(over, 3 * hidden, x.shape[2], access(0, ("s", "b", "i")),
                 access(1, ("d", "q", "i")), -1),
        Einsum((*two, ("i", hidden)), (past, access(2, ("d", "q", "i"))),
               _value(-2, unit="q"), carry=carry),
        Einsum(two, tuple(first), _value(-3, unit="q"), "add"),
        Einsum(over, (_value(-3),), _value(-4), "sigmoid"),
        Einsum(over, (_value(-3, unit=_row(hidden)),), _value(-5), "sigmoid"),
    ]  # fmt: skip
    steps += _candidate(over, hidden, linear_before_reset, biased, y)
    steps += [
        Einsum(over, (_value(-4),), _value(-10), "scale", parameters=(-1.0, 1.0)),
        Einsum(over, (_value(-10), _value(-9)), _value(-11)),
        Einsum(over, (_value(-4), _value(y, _BEFORE)), _value(-12), carry=carry),
        Einsum(over, (_value(-11), _value(-12)), _value(y), "add"),
        _last(over, y, y + 1),
    ]
    return tuple(steps)


def _candidate(
    over: Loops, hidden: int, linear_before_reset: bool, biased: bool, y: int
) -> list[Einsum]:
    """-9 = tanh(x part + reset past); uses -6 .. -8."""
    carry = ("s",)
    inner = (*over, ("i", hidden))
    weight = access(2, ("d", _row(2 * hidden), "i"))
    added = [_value(-1, unit=_row(2 * hidden)), _value(-7)]
    if biased:
        added.append(access(3, ("d", _row(2 * hidden))))
    recurrent_bias = access(3, ("d", _row(5 * hidden)))
    if linear_before_reset:
        past = access(y, (_BEFORE, "d", "b", "i"))
        mixed = [Einsum(inner, (past, weight), _value(-6), carry=carry)]
        if biased:
            mixed.append(Einsum(over, (_value(-6), recurrent_bias), _value(-13), "add"))
        mixed.append(Einsum(over, (_value(-5), _value(-13 if biased else -6)), _value(-7)))
    else:
        kept = Einsum(over, (_value(-5), _value(y, _BEFORE)), _value(-6), carry=carry)
        reset = access(-6, ("s", "d", "b", "i"))
        mixed = [kept, Einsum(inner, (reset, weight), _value(-7))]
        if biased:
            added.append(recurrent_bias)
    return [
        *mixed,
        Einsum(over, tuple(added), _value(-8), "add"),
        Einsum(over, (_value(-8),), _value(-9), "tanh"),
    ]
