"""The interpreter: folded equals flat, steps equal the whole, bad inputs are named."""

import numpy as np
import pytest

from netwright.errors import GraphError, JobError
from netwright.graph.build import Builder
from netwright.graph.format import INT64, Q8_0
from netwright.graph.interpret import Interpreter, interpret
from netwright.graph.ops.elementwise import Binary
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.position import StateUpdate
from netwright.graph.unroll import unrolled
from netwright.graph.verify import verify
from netwright.graph.zoo.gpt import GptSizes, gpt
from netwright.graph.zoo.llama import LlamaSizes, llama

TOKENS = np.array([3, 1, 4, 1, 5, 9])


def test_folded_equals_flat():
    folded = llama(LlamaSizes(layers=3))
    flat = unrolled(folded)
    verify(flat)
    symbols = {"n_tokens": 6, "n_past": 0}
    one, kept_one = interpret(folded, {"tokens": TOKENS}, symbols, {})
    two, kept_two = interpret(flat, {"tokens": TOKENS}, symbols, {})
    np.testing.assert_array_equal(one["logits"], two["logits"])
    assert sorted(kept_one) == sorted(kept_two)
    for name, value in kept_one.items():
        np.testing.assert_array_equal(value, kept_two[name])


def test_steps_through_the_cache_equal_the_whole_prompt():
    network = Interpreter(llama(LlamaSizes(), form=Q8_0))
    whole, _ = network({"tokens": TOKENS}, {"n_tokens": 6, "n_past": 0}, {})
    state = {}
    for i, token in enumerate(TOKENS):
        step, state = network({"tokens": [token]}, {"n_tokens": 1, "n_past": i}, state)
        np.testing.assert_allclose(step["logits"][0], whole["logits"][i], atol=1e-12)


def test_causal_network_does_not_see_the_future():
    network = gpt(GptSizes(tokens=8))
    one = np.arange(8)[None]
    two = one.copy()
    two[0, 5:] = 31
    a, _ = interpret(network, {"tokens": one}, {}, {})
    b, _ = interpret(network, {"tokens": two}, {}, {})
    np.testing.assert_array_equal(a["logits"][0, :5], b["logits"][0, :5])
    assert not np.allclose(a["logits"][0, 5:], b["logits"][0, 5:])


def test_state_is_carried():
    b = Builder("sum")
    x = b.input("x", (("n", 2),))
    total = b.state("total", (("n", 2),))
    new = b.add(Binary("add"), (total, x), "new")
    y = b.add(StateUpdate(), (total, new), "y")
    network = b.finish((y,))
    state = {}
    for step in range(1, 4):
        outputs, state = interpret(network, {"x": np.ones(2)}, {}, state)
        np.testing.assert_array_equal(outputs["y"], [step, step])


def test_bad_inputs_are_named():
    network = llama(LlamaSizes())
    symbols = {"n_tokens": 6, "n_past": 0}
    with pytest.raises(JobError, match="input tokens is missing"):
        interpret(network, {}, symbols, {})
    with pytest.raises(JobError, match=r"input tokens has shape \(2,\), expected \(6,\)"):
        interpret(network, {"tokens": [1, 2]}, symbols, {})
    with pytest.raises(JobError, match="no input is named 'ids'"):
        interpret(network, {"ids": TOKENS}, symbols, {})
    with pytest.raises(JobError, match="symbol n_past has no value"):
        interpret(network, {"tokens": TOKENS}, {"n_tokens": 6}, {})
    with pytest.raises(GraphError, match="n_tokens is 65, expected 1 to 64"):
        interpret(network, {"tokens": TOKENS}, {"n_tokens": 65, "n_past": 0}, {})
    with pytest.raises(GraphError, match=r"embed.*indices 3..99 are outside a dim of size 32"):
        interpret(network, {"tokens": [3, 4, 5, 6, 7, 99]}, symbols, {})
    with pytest.raises(JobError, match=r"no state is named 'k_cache'; it has \['k_cache.0', "):
        interpret(network, {"tokens": TOKENS}, symbols, {"k_cache": np.zeros((64, 2, 8))})
    with pytest.raises(JobError, match=r"state k_cache.1 has shape \(3,\), expected \(64, 2, 8\)"):
        interpret(network, {"tokens": TOKENS}, symbols, {"k_cache.1": np.zeros(3)})
    with pytest.raises(JobError, match="69 rows do not fit the cache"):
        interpret(network, {"tokens": TOKENS}, {"n_tokens": 6, "n_past": 63}, {})


def test_weight_without_data_can_be_planned_not_run():
    b = Builder("shape")
    x = b.input("x", (("n", 1), ("k", 4)), INT64)
    w = b.weight("w", (("m", 3), ("k", 4)))
    with pytest.raises(GraphError, match=r"operator y: Linear: input 0 \(x\) is int"):
        b.add(Linear(), (x, w), "y")
    x = b.input("xf", (("n", 1), ("k", 4)))
    network = b.finish((b.add(Linear(), (x, w), "y"),))
    with pytest.raises(GraphError, match="weight w has no data"):
        interpret(network, {"x": np.zeros((1, 4)), "xf": np.zeros((1, 4))}, {}, {})
