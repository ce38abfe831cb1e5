"""Every runtime on the same programs: one body of laws."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from tests.run import graphs

from netwright.errors import RunError
from netwright.graph.interpret import interpret
from netwright.program.program import Program
from netwright.run.native import NativeRuntime
from netwright.run.null import NullRuntime
from netwright.run.reference import ReferenceRuntime
from netwright.run.runtime import Runtime

RUNTIMES: Mapping[str, Callable[[Program], Runtime]] = {
    "native": NativeRuntime,
    "reference": ReferenceRuntime,
    "null": NullRuntime,
}
# Native and reference round at the same places; they differ by fp32 sums, and by the int8 value
# next door where such a sum falls on the edge between two.
BETWEEN = 5e-3
# q4_1 adds minima times a sum of its own rounding (ggml's q8_1 s), which the reference does not:
# 2e-4 to 1e-3 of one product, after which later roundings to int8 fall on other values.
BETWEEN_MINIMA = 0.04


@pytest.mark.parametrize("kind", RUNTIMES)
@pytest.mark.parametrize("name", graphs.CASES)
def test_shapes_values_and_timeline(name: str, kind: str) -> None:
    case, program = graphs.case(name), graphs.program(name)
    inputs, symbols = case.inputs(), dict(case.symbols)
    expected, _ = interpret(case.graph, inputs, symbols, {})
    runtime = RUNTIMES[kind](program)
    if isinstance(runtime, NativeRuntime):
        runtime.trace(True)
    found = runtime.call(case.entry, inputs, symbols)
    assert {n: a.shape for n, a in found.items()} == {n: a.shape for n, a in expected.items()}
    timeline = runtime.timeline()
    tasks = program.entry(case.entry).tasks
    assert [(s.name, s.opcode) for s in timeline.spans] == [(t.source, t.opcode) for t in tasks]
    assert (timeline.seconds > 0) == (kind != "null")
    for output, array in found.items():
        if kind == "null":
            assert not array.any()
        else:
            assert graphs.error(array, expected[output]) < case.bound


@pytest.mark.parametrize("name", graphs.CASES)
def test_native_is_the_reference(name: str) -> None:
    case, program = graphs.case(name), graphs.program(name)
    inputs, symbols = case.inputs(1), dict(case.symbols)
    found = NativeRuntime(program).call(case.entry, inputs, symbols)
    expected = ReferenceRuntime(program).call(case.entry, inputs, symbols)
    bound = BETWEEN if "llama" in name else 1e-4
    bound = BETWEEN_MINIMA if "q4_1" in name else bound
    assert found.keys() == expected.keys()
    for output, array in found.items():
        assert graphs.error(array, expected[output]) < bound


@pytest.mark.parametrize("kind", ["native", "reference"])
def test_state_is_kept_and_reset(kind: str) -> None:
    runtime = RUNTIMES[kind](graphs.program("llama fp32"))
    tokens = np.array([3, 1, 4, 1, 5, 9])

    def call(ids: np.ndarray, past: int) -> np.ndarray:
        symbols = {"n_tokens": len(ids), "n_past": past}
        return runtime.call("prefill", {"tokens": ids}, symbols)["logits"]

    whole = call(tokens, 0)
    runtime.reset()
    parts = np.concatenate((call(tokens[:4], 0), call(tokens[4:], 4)))
    assert graphs.error(parts, whole) < 1e-5
    runtime.reset()
    assert graphs.error(call(tokens[4:], 4), whole[4:]) > 1e-3
    runtime.reset()
    assert np.array_equal(call(tokens, 0), whole)


@pytest.mark.parametrize("kind", RUNTIMES)
def test_refusals_name_the_place(kind: str) -> None:
    runtime = RUNTIMES[kind](graphs.program("llama fp32"))
    tokens = {"tokens": np.arange(2)}
    with pytest.raises(RunError, match="no entry 'train'"):
        runtime.call("train", tokens, {})
    with pytest.raises(RunError, match="'tokens' is missing"):
        runtime.call("prefill", {}, {"n_tokens": 2})
    with pytest.raises(RunError, match="has shape"):
        runtime.call("prefill", tokens, {"n_tokens": 3})
    with pytest.raises(RunError, match="extra"):
        runtime.call("prefill", {**tokens, "extra": np.zeros(1)}, {"n_tokens": 2})
    many = {"tokens": np.zeros(9, np.int64)}
    with pytest.raises(RunError):
        runtime.call("prefill", many, {"n_tokens": 9})
    with pytest.raises(RunError):
        runtime.call("prefill", tokens, {"n_tokens": 2, "n_past": 15})
