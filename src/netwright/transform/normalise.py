"""Normalise: activations and softmax that a file spells in several operators, as one.

Every pattern is exact, not an approximation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from netwright.graph.op import Op
from netwright.graph.ops.elementwise import Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.softmax import Softmax
from netwright.graph.tensor import TensorId
from netwright.transform.draft import Draft, Rule
from netwright.transform.match import (
    argument_of,
    axes_of,
    binary_operands,
    both_ways,
    close,
    function_of,
    monomial,
    operands,
    reduced,
)


def _hard_sigmoid(draft: Draft, op: Op) -> Sequence[Op] | None:
    """The function clip(alpha x + beta, 0, 1), also as clip(a x + b, 0, c) / c."""
    if not isinstance(op.kind, Unary):
        return None
    outer, x = op.kind.function, op.inputs[0]
    factor = 1.0
    if outer.name == "scale" and outer.beta == 0.0:
        found = function_of(draft, x, "clip")
        if found is None:
            return None
        factor, (outer, x) = outer.alpha, found
    if outer.name != "clip" or outer.alpha != 0.0 or not close(outer.beta * factor, 1.0):
        return None
    inner = function_of(draft, x, "scale")
    if inner is None:
        return None
    function = Function("hard_sigmoid", inner[0].alpha * factor, inner[0].beta * factor)
    return (replace(op, kind=Unary(function), inputs=(inner[1],)),)


def _self_gated(draft: Draft, op: Op) -> Sequence[Op] | None:
    """The forms k * x * g(x): hard swish, SiLU, Mish and both GELUs."""
    product, factor = op, 1.0
    if isinstance(op.kind, Unary) and op.kind.function.name == "scale":
        if op.kind.function.beta != 0.0:
            return None
        inner = draft.maker(op.inputs[0])
        if inner is None:
            return None
        product, factor = inner, op.kind.function.alpha
    pair = binary_operands(product, "mul")
    if pair is None:
        return None
    for x, gate in both_ways(pair):
        k, x = _unscaled(draft, x, factor)
        k, gate = _unscaled(draft, gate, k)
        function = _gate(draft, x, gate, k)
        if function is not None:
            return (replace(op, kind=Unary(function), inputs=(x,)),)
    return None


def _unscaled(draft: Draft, tensor: TensorId, factor: float) -> tuple[float, TensorId]:
    """A tensor without the plain factor that it was multiplied with."""
    found = function_of(draft, tensor, "scale")
    if found is None or found[0].beta != 0.0:
        return factor, tensor
    return factor * found[0].alpha, found[1]


def _gate(draft: Draft, x: TensorId, gate: TensorId, factor: float) -> Function | None:
    """The function that is factor * x * gate."""
    unit = close(factor, 1.0)
    if unit and argument_of(draft, gate, Function("hard_sigmoid", 1 / 6, 0.5)) == x:
        return Function("hard_swish")
    if close(factor, 1 / 6):
        shifted = argument_of(draft, gate, Function("clip", 0.0, 6.0))
        if shifted is not None and argument_of(draft, shifted, Function("scale", 1.0, 3.0)) == x:
            return Function("hard_swish")
    if unit and argument_of(draft, gate, Function("sigmoid")) == x:
        return Function("silu")
    tanh = argument_of(draft, gate, Function("tanh")) if unit else None
    if tanh is not None and argument_of(draft, tanh, Function("softplus")) == x:
        return Function("mish")
    return _gelu(draft, x, gate, factor)


def _gelu(draft: Draft, x: TensorId, gate: TensorId, factor: float) -> Function | None:
    """Half of x (1 + erf(x / sqrt 2)), or with tanh in the place of erf."""
    found = function_of(draft, gate, "scale")
    if found is None:
        return None
    halves = (found[0].alpha * factor, found[0].beta * factor)
    if not (close(halves[0], 0.5) and close(halves[1], 0.5)):
        return None
    erf = argument_of(draft, found[1], Function("erf"))
    if erf is not None and argument_of(draft, erf, Function("scale", math.sqrt(0.5))) == x:
        return Function("gelu")
    tanh = argument_of(draft, found[1], Function("tanh"))
    if tanh is not None and _is_tanh_argument(draft, tanh, x):
        return Function("gelu_tanh")
    return None


_ROOT = math.sqrt(2 / math.pi)
_CUBE = 0.044715


def _is_tanh_argument(draft: Draft, tensor: TensorId, x: TensorId) -> bool:
    """Whether this is sqrt(2 / pi) (x + 0.044715 x^3), or sqrt(2 / pi) x (1 + 0.044715 x^2)."""
    factor, inner = _unscaled(draft, tensor, 1.0)
    total = operands(draft, inner, "add")
    for a, b in both_ways(total) if total is not None else ():
        cube = monomial(draft, b)
        if a == x and close(factor, _ROOT) and _is_power(cube, x, 3, _CUBE):
            return True
    pair = operands(draft, inner, "mul")
    for a, b in both_ways(pair) if pair is not None else ():
        k, root = _unscaled(draft, a, factor)
        found = function_of(draft, b, "scale")
        if root != x or found is None or not close(k * found[0].beta, _ROOT):
            continue
        if _is_power(monomial(draft, found[1]), x, 2, _CUBE * _ROOT / (k * found[0].alpha)):
            return True
    return False


def _is_power(
    term: tuple[float, Counter[TensorId]], x: TensorId, exponent: int, coefficient: float
) -> bool:
    return term[1] == Counter({x: exponent}) and close(term[0], coefficient)


def _softmax(draft: Draft, op: Op) -> Sequence[Op] | None:
    """Finds exp(x - m) / sum exp(x - m), for m = max x or nothing."""
    pair = binary_operands(op, "div")
    powers, total = pair if pair is not None else (None, None)
    if pair is None:
        product = binary_operands(op, "mul")
        for a, b in both_ways(product) if product is not None else ():
            inverse = argument_of(draft, b, Function("reciprocal"))
            if inverse is not None:
                powers, total = a, inverse
    summed = reduced(draft, total, "sum")
    exponent = argument_of(draft, powers, Function("exp"))
    if summed is None or exponent is None or summed[1] != powers:
        return None
    axes = axes_of(summed[0], len(draft.shape(exponent)))
    if len(axes) != 1:
        return None
    x = _without_peak(draft, exponent, axes)
    return (replace(op, kind=Softmax(axes[0]), inputs=(x,)),)


def _log_softmax(draft: Draft, op: Op) -> Sequence[Op] | None:
    """Finds x - m - log sum exp(x - m), for m = max x or nothing."""
    pair = binary_operands(op, "sub")
    if pair is None:
        return None
    summed = reduced(draft, argument_of(draft, pair[1], Function("log")), "sum")
    if summed is None or argument_of(draft, summed[1], Function("exp")) != pair[0]:
        return None
    axes = axes_of(summed[0], len(draft.shape(pair[0])))
    if len(axes) != 1:
        return None
    x = _without_peak(draft, pair[0], axes)
    return (replace(op, kind=Softmax(axes[0], log=True), inputs=(x,)),)


def _without_peak(draft: Draft, tensor: TensorId, axes: tuple[int, ...]) -> TensorId:
    """The x of x - max x; softmax is the same with and without it."""
    pair = operands(draft, tensor, "sub")
    if pair is None:
        return tensor
    peak = reduced(draft, pair[1], "max")
    if peak is None or peak[1] != pair[0] or axes_of(peak[0], len(draft.shape(tensor))) != axes:
        return tensor
    return pair[0]


RULES = (
    Rule("hard sigmoids recognised", _hard_sigmoid),
    Rule("activations recognised", _self_gated),
    Rule("softmax recognised", _softmax),
    Rule("log softmax recognised", _log_softmax),
)
