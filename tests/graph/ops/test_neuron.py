"""Neurons: cascades against references, and each library's own convention written out."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graph.oracle import check_einsums, run

from netwright.errors import FormatError, GraphError
from netwright.graph.build import Builder
from netwright.graph.file import load, save
from netwright.graph.op import TensorType
from netwright.graph.ops.neuron import CobaLif, CubaLif, If, Li, Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.graph.record import read_graph, write_graph

SHAPE = (12, 2, 5)
RULES = [
    Discretisation(method=method, reset=reset, threshold_included=included)
    for method in Method
    for reset in Reset
    for included in (False, True)
]
RULES += [replace(r, reset_delay=True) for r in RULES]
RULES += [
    Discretisation(reset=Reset.VALUE, reset_value=-0.3, refractory_steps=3),
    Discretisation(reset=Reset.SUBTRACT, most_spikes=0, threshold_included=True),
    Discretisation(reset=Reset.SUBTRACT, most_spikes=2),
]


def driven(seed=0, number=1):
    random = np.random.default_rng(seed)
    return [random.uniform(-1.0, 3.0, SHAPE) for _ in range(number)]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_cascades_equal_references(rule):
    rule = replace(rule, input_scale=0.4)
    for kind in (Lif(4e-3, 0.7, rule, 0.1), If(0.7, rule), CubaLif(4e-3, (2e-3,), 0.7, rule)):
        spikes = run(kind, *driven())[0]
        assert rule.reset is Reset.NONE or 0 < spikes.sum() < spikes.size * 4
        check_einsums(kind, *driven())


@pytest.mark.parametrize("after", [False, True])
def test_receptors(after):
    rule = Discretisation(reset=Reset.VALUE, refractory_steps=2, input_after=after)
    for kind in (
        CubaLif(4e-3, (2e-3, 4e-3), 0.5, rule),
        CobaLif(4e-3, (2e-3, 5e-3), (3.0, -1.0), 0.5, rule, leak=-0.2, drive=0.1),
        CubaLif(4e-3, (2e-3, 4e-3), math.inf, replace(rule, refractory_steps=0), traced=True),
    ):
        positive = [np.abs(x) for x in driven(1, 2)]
        run(kind, *positive)
        check_einsums(kind, *positive)
    check_einsums(Li(3e-3), *driven())


@given(st.integers(0, 2**32 - 1), st.sampled_from(["subtract", "zero"]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_snntorch_leaky(seed, reset, delay):
    """`mem = beta mem + x - R threshold`, or with zero `beta (1 - R) mem + x` (snntorch 1.0)."""
    if not delay and reset == "subtract":
        return  # there, too, what is left above the threshold is reset once more; we do not
    beta, threshold = 0.9, 1.0
    x = np.random.default_rng(seed).uniform(0.0, 0.6, SHAPE)
    mem, expected = np.zeros(SHAPE[1:]), np.zeros(SHAPE)
    for t in range(SHAPE[0]):
        past = mem > threshold
        if reset == "subtract":
            mem = beta * mem + x[t] - past * threshold
        else:
            mem = beta * ((1.0 - past) * mem) + x[t]
        expected[t] = mem > threshold
        if not delay:
            mem = mem - (expected[t] - past) * mem
    rule = Discretisation(reset=Reset(reset), reset_delay=delay, input_scale=1.0)
    kind = Lif(-rule.dt_seconds / math.log(beta), threshold, rule)
    np.testing.assert_array_equal(run(kind, x)[0], expected)


def test_spikingjelly_lif():
    """`v += (x - (v - v_reset)) / tau`, hard reset at v >= threshold."""
    tau, x = 3.0, driven(3)[0]
    v, expected = np.zeros(SHAPE[1:]), np.zeros(SHAPE)
    for t in range(SHAPE[0]):
        v = v + (x[t] - v) / tau
        expected[t] = v >= 1.0
        v = np.where(expected[t] > 0, 0.0, v)
    rule = Discretisation(method=Method.EULER, threshold_included=True)
    np.testing.assert_array_equal(run(Lif(tau * rule.dt_seconds, 1.0, rule), x)[0], expected)


def test_sinabs_spikes_several_times_in_a_step():
    """`v = alpha v + x; s = floor(v / threshold)`, subtracted."""
    alpha, x = math.exp(-1 / 10), 2.0 * driven(4)[0]
    v, expected = np.zeros(SHAPE[1:]), np.zeros(SHAPE)
    for t in range(SHAPE[0]):
        v = alpha * v + x[t]
        expected[t] = np.maximum(np.floor(v), 0.0)
        v = v - expected[t]
    rule = Discretisation(
        reset=Reset.SUBTRACT, threshold_included=True, most_spikes=0, input_scale=1.0
    )
    found = run(Lif(10e-3, 1.0, rule), x)[0]
    assert found.max() > 2
    np.testing.assert_array_equal(found, expected)


def test_norse_lif():
    """`v += dt/tau ((leak - v) + i)`, spike, then `i = i decayed + x`: felt in the next step."""
    dt, x = 1e-3, driven(5)[0]
    v, i = np.zeros(SHAPE[1:]), np.zeros(SHAPE[1:])
    expected = np.zeros(SHAPE)
    for t in range(SHAPE[0]):
        v = v + dt * 100.0 * (-v + i)
        i = i - dt * 200.0 * i
        expected[t] = v > 0.2
        v = np.where(expected[t] > 0, 0.0, v)
        i = i + x[t]
    rule = Discretisation(dt, Method.EULER, Reset.VALUE, input_after=True)
    np.testing.assert_array_equal(run(CubaLif(1e-2, (5e-3,), 0.2, rule), x)[0], expected)


def test_an_exact_step_is_many_small_ones():
    """The propagator over 1 ms equals the equation integrated in 20,000 Euler steps."""
    coarse = CubaLif(5e-3, (2e-3,), 10.0, Discretisation(1e-3), traced=True)
    fine = replace(coarse, rule=Discretisation(5e-8, Method.EULER))
    x = np.ones((1, 1, 1))
    many = np.concatenate([x, np.zeros((19_999, 1, 1))])
    np.testing.assert_allclose(run(coarse, x)[1], run(fine, many)[1], rtol=1e-4)


def test_what_cannot_be_is_refused():
    three = TensorType((3, 1, 2))
    with pytest.raises(GraphError, match="dt is 0"):
        Discretisation(0.0)
    with pytest.raises(GraphError, match="exclude each other"):
        Discretisation(reset_delay=True, refractory_steps=1)
    with pytest.raises(GraphError, match="needs a synaptic current"):
        Lif(1e-2, rule=Discretisation(input_after=True)).infer([three])
    with pytest.raises(GraphError, match="2 dims, expected \\[steps, batch, neurons\\]"):
        Lif(1e-2).infer([TensorType((3, 2))])
    with pytest.raises(GraphError, match="1 synapse times and 2 reversal"):
        CobaLif(1e-2, (1e-3,), (0.0, 1.0)).infer([three])
    with pytest.raises(GraphError, match="state 0 has shape"):
        Lif(1e-2).infer([three, TensorType((1, 3))])


def test_a_rule_goes_to_a_file_and_back(tmp_path):
    builder = Builder("one")
    x = builder.input("x", (("t", 4), ("b", 1), ("n", 3)))
    rule = Discretisation(method=Method.EULER, reset=Reset.VALUE, reset_value=-1.0)
    kind = CubaLif(1e-2, (2e-3, 5e-3), 0.7, rule)
    graph = builder.finish(builder.add_all(kind, (x, x), "neurons")[:1])
    save(graph, tmp_path / "one")
    assert load(tmp_path / "one") == graph
    damaged = write_graph(graph, lambda data: None)
    damaged["body"][0]["attributes"]["rule"]["reset"] = "hard"
    with pytest.raises(FormatError, match="expected one of none, subtract, zero, value"):
        read_graph(damaged, lambda data, where: data, "one")


def differing(rule):
    """Kinds whose neurons differ in all that they can, with the operands of each."""
    random = np.random.default_rng(7)

    def some(low, high, *shape):
        return random.uniform(low, high, (*shape, SHAPE[2]))

    plain = {
        "tau_seconds": some(2e-3, 9e-3), "threshold": some(0.3, 0.9), "leak": some(-0.2, 0.2),
        "resistance": some(0.5, 2.0), "reset_value": some(-0.5, 0.2),
    }  # fmt: skip
    synapses = some(1e-3, 6e-3, 2)
    synapses[0, 1] = plain["tau_seconds"][1]  # the two times are one
    of_if = {k: plain[k] for k in ("threshold", "resistance", "reset_value")}
    of_li = {k: plain[k] for k in ("tau_seconds", "leak", "resistance")}
    cuba = {**plain, "synapse_seconds": synapses}
    coba = {k: v for k, v in cuba.items() if k != "resistance"}
    coba |= {"reversals": some(-1.0, 3.0, 2), "drive": some(0.0, 0.2)}
    two = (2e-3, 3e-3)
    yield Lif(1.0, 1.0, rule, each=tuple(plain)), 1, plain
    yield If(1.0, replace(rule, input_scale=None), each=tuple(of_if)), 1, of_if
    yield Li(1.0, replace(rule, refractory_steps=0), each=tuple(of_li)), 1, of_li
    yield CubaLif(1.0, two, 1.0, rule, each=tuple(cuba)), 2, cuba
    yield CobaLif(1.0, two, (1.0, 2.0), 1.0, rule, each=tuple(coba)), 2, coba


@pytest.mark.parametrize("rule", RULES[::3] + RULES[-3:-2], ids=str)
def test_neurons_that_differ_are_each_a_population_of_its_own(rule):
    for kind, number, given_each in differing(rule):
        inputs = [0.3 * np.abs(x) if number == 2 else x for x in driven(3, number)]
        receptors = number if number == 2 else 0
        held = bool(kind.rule.refractory_steps)
        operands = [*inputs, *[None] * (1 + receptors + held), *given_each.values()]
        found = run(kind, *operands)
        check_einsums(kind, *operands)
        for n in range(SHAPE[2]):
            alone = replace(kind, each=())
            for name, values in given_each.items():
                value = values[..., n]
                if name == "reset_value":
                    alone = replace(alone, rule=replace(alone.rule, reset_value=float(value)))
                else:
                    value = tuple(value.tolist()) if value.ndim else float(value)
                    alone = replace(alone, **{name: value})
            expected = alone.reference([x[..., n : n + 1] for x in inputs])
            for ours, theirs in zip(found, expected, strict=True):
                np.testing.assert_array_equal(ours[..., n : n + 1], theirs)


def test_parameters_of_each_are_checked():
    x, n = np.zeros(SHAPE), SHAPE[2]
    with pytest.raises(GraphError, match="none twice"):
        run(Lif(1.0, each=("colour",)), x, None, np.ones(n))
    with pytest.raises(GraphError, match="tau_seconds of each"):
        run(Lif(1.0, each=("tau_seconds",)), x, None, np.ones(n + 1))
    with pytest.raises(GraphError, match="above 0"):
        run(Lif(1.0, each=("tau_seconds",)), x, None, np.zeros(n))
    with pytest.raises(GraphError, match="neurons differ in leak"):
        Lif(1.0, each=("leak",)).membrane()
