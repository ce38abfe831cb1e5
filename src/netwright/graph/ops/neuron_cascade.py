"""The einsum cascade of a neuron: the step `s` carries, every other einsum is pointwise.

Loops: `s` step, `b` batch, `n` neuron. The step before the first reads as zero (first states,
where given, stand there).
"""

from __future__ import annotations

from collections.abc import Sequence

from netwright.graph.op import Access, Einsum, Projection, TensorType
from netwright.graph.ops.cascade import Index, access
from netwright.graph.ops.neuron_cascade_writer import BEFORE, Writer
from netwright.graph.ops.neuron_each import Neuron
from netwright.graph.ops.neuron_each_cascade import Coefficients, coefficients
from netwright.graph.ops.neuron_rule import Reset


def neuron_cascade(
    kind: Neuron, types: Sequence[TensorType | None], outputs: Sequence[TensorType], traced: bool
) -> tuple[Einsum, ...]:
    """Of any membrane: currents, membrane, comparison, reset, refractory count."""
    w, y = Writer(outputs[0].shape), len(types)
    m = coefficients(w, kind)
    absent = [place < len(types) and types[place] is None for place in range(len(m.decays))]
    v, left = w.new(), w.new()
    currents = [w.new() for _ in m.decays]
    past = w.value(v, BEFORE)
    held = w.made("greater", w.value(left, BEFORE), w.scaled(past, 0.0)) if (
        m.rule.refractory_steps
    ) else None  # fmt: skip
    spiked = None
    if m.rule.reset_delay:
        spiked = _spikes(w, m, past, w.new())
        if m.rule.reset is not Reset.SUBTRACT:
            past = _reset(w, m, past, spiked, w.new())
    fresh = _membrane(w, m, past, currents, absent)
    if spiked is not None and m.rule.reset is Reset.SUBTRACT:
        fresh = _reset(w, m, fresh, spiked, w.new())
    if held is not None:
        fresh = _blend(w, fresh, past, held, w.new())
    s = _spikes(w, m, fresh, w.new() if traced or held is not None else y)
    if held is not None:
        s = w.write(w.new() if traced else y, "mul", s, w.scaled(held, -1.0, 1.0))
    if m.rule.reset_delay:
        w.write(v, "identity", fresh)
    else:
        _reset(w, m, fresh, s, v)
    if traced:
        w.write(y, "identity", w.value(v))
    if held is not None:
        after = w.made("max", w.scaled(w.value(left, BEFORE), 1.0, -1.0), w.scaled(s, 0.0))
        w.write(left, "max", after, w.scaled(s, float(m.rule.refractory_steps)))
    kept = [v, *currents, *([left] if held is not None else [])]
    return (*w.einsums, *(_last(w, name, y + 1 + i) for i, name in enumerate(kept)))


def _membrane(
    w: Writer, m: Coefficients, past: Access, currents: list[int], absent: list[bool]
) -> Access:
    """The membrane before comparison; writes what is left of the currents."""
    if not m.decays:
        driven = [w.scaled(past, m.decay, m.drive), w.scaled(w.value(0), m.input)]
        return w.made("add", *driven)
    jumps = [
        w.scaled(past, 0.0) if absent[k] else w.scaled(w.value(k), m.input)
        for k in range(len(currents))
    ]
    felt = [w.value(name, BEFORE) for name in currents]
    if not m.rule.input_after:
        felt = [w.made("add", i, x) for i, x in zip(felt, jumps, strict=True)]
    for name, i, x, decay in zip(currents, felt, jumps, m.decays, strict=True):
        if m.rule.input_after:
            w.write(name, "add", w.scaled(i, decay), x)
        else:
            w.write(name, "identity", w.scaled(i, decay))
    if not m.reversals:
        parts = [w.scaled(i, gain) for i, gain in zip(felt, m.gains, strict=True)]
        return w.made("add", w.scaled(past, m.decay, m.drive), *parts)
    total = w.made("add", w.scaled(past, 0.0, 1.0), *felt)
    pulls = [w.scaled(i, e) for i, e in zip(felt, m.reversals, strict=True)]
    rest = w.made("div", w.made("add", w.scaled(past, 0.0, m.drive), *pulls), total)
    left = w.made("exp", w.scaled(w.scaled(total, m.rate), -1.0))
    return w.made("add", rest, w.made("mul", w.made("sub", past, rest), left))


def _spikes(w: Writer, m: Coefficients, v: Access, to: int) -> Access:
    rule = m.rule
    if rule.most_spikes != 1:
        most = float("inf") if rule.most_spikes == 0 else float(rule.most_spikes)
        quanta = w.made("div", v, w.scaled(v, 0.0, m.threshold))
        whole = w.made("floor", quanta) if rule.threshold_included else (
            w.scaled(w.made("ceil", quanta), 1.0, -1.0)
        )  # fmt: skip
        return w.write(to, "clip", whole, parameters=(0.0, most))
    name = "greater_equal" if rule.threshold_included else "greater"
    return w.write(to, name, v, w.scaled(v, 0.0, m.threshold))


def _reset(w: Writer, m: Coefficients, v: Access, s: Access, to: int) -> Access:
    if m.rule.reset is Reset.NONE:
        return w.write(to, "identity", v)
    if m.rule.reset is Reset.SUBTRACT:
        if m.threshold == float("inf"):
            return w.write(to, "identity", v)
        return w.write(to, "sub", v, w.scaled(s, m.threshold))
    return _blend(w, v, w.scaled(v, 0.0, m.reset_value), s, to)


def _blend(w: Writer, no: Access, yes: Access, where: Access, to: int) -> Access:
    """Where(where, yes, no) for a `where` of zeros and ones."""
    kept = w.made("mul", no, w.scaled(where, -1.0, 1.0))
    return w.write(to, "add", kept, w.made("mul", yes, where))


def _last(w: Writer, name: int, output: int) -> Einsum:
    """output[b, n] = the value at the last step."""
    steps = w.over[0][1]
    at: Index = steps - 1 if isinstance(steps, int) else Projection((), -1)
    return Einsum(w.over[1:], (w.value(name, at),), access(output, ("b", "n")), "identity")
