"""Laws of the native runtime: threads, memory, state, bounds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.run import graphs

from netwright.errors import RunError
from netwright.run.native import NativeRuntime


@pytest.mark.parametrize("name", ["llama q4_1", "llama fp32", "resnet", "mobilenet", "recurrent"])
def test_threads_do_not_change_a_bit(name: str) -> None:
    case = graphs.case(name)
    # The pieces are fixed by the plan; who does them must not matter.
    program = graphs.program(name, threads=3)
    symbols = dict(case.symbols)
    results: list[list[np.ndarray]] = []
    for threads in (1, 2, 3):
        runtime = NativeRuntime(program, threads)
        outputs = [*runtime.call(case.entry, case.inputs(), symbols).values()]
        if "llama" in name:
            step = {"n_tokens": 1, "n_past": symbols["n_tokens"]}
            outputs += runtime.call("decode", {"tokens": np.array([7])}, step).values()
        results.append(outputs)
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            assert np.array_equal(one, two)


def test_set_threads_between_calls() -> None:
    case = graphs.case("mobilenet")
    runtime = NativeRuntime(graphs.program("mobilenet", threads=3), 3)
    first = runtime.call("forward", case.inputs(), {})
    runtime.set_threads(1)
    second = runtime.call("forward", case.inputs(), {})
    assert all(np.array_equal(first[name], second[name]) for name in first)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize("name", ["llama q8_0", "mobilenet"])
def test_calls_do_not_grow_memory(name: str) -> None:
    case = graphs.case(name)
    runtime = NativeRuntime(graphs.program(name, threads=2), 2)
    inputs, symbols = case.inputs(), dict(case.symbols)
    for _ in range(20):
        runtime.call(case.entry, inputs, symbols)
    before = resident_bytes()
    for _ in range(200):
        runtime.call(case.entry, inputs, symbols)
    # A leak of one output a call (a few KB) would be seen; the allocator's own steps are not.
    assert resident_bytes() - before < 256 << 10


def test_decoding_token_by_token_is_the_prefill() -> None:
    runtime = NativeRuntime(graphs.program("llama fp32"))
    ids = np.array([3, 1, 4, 1, 5, 9, 2, 6])
    whole = runtime.call("prefill", {"tokens": ids}, {"n_tokens": 8, "n_past": 0})["logits"]
    runtime.reset()
    rows = [
        runtime.call("decode", {"tokens": ids[i : i + 1]}, {"n_tokens": 1, "n_past": i})["logits"]
        for i in range(8)
    ]
    assert graphs.error(np.concatenate(rows), whole) < 1e-5
    runtime.reset()
    runtime.call("prefill", {"tokens": ids[:5]}, {"n_tokens": 5, "n_past": 0})
    checked = runtime.call("verify", {"tokens": ids[5:]}, {"n_tokens": 3, "n_past": 5})["logits"]
    assert graphs.error(checked, whole[5:]) < 1e-5


@pytest.mark.parametrize(
    "symbols",
    [
        {"n_tokens": 0},
        {"n_tokens": 9},
        {"n_tokens": 2, "n_past": -1},
        {"n_tokens": 2, "n_past": 16},
        {"n_tokens": 8, "n_past": 15},
    ],
)
def test_symbols_outside_their_bounds(symbols: dict[str, int]) -> None:
    runtime = NativeRuntime(graphs.program("llama fp32"))
    with pytest.raises(RunError, match="prefill"):
        runtime.execute("prefill", symbols)


def test_bounds_and_names() -> None:
    runtime = NativeRuntime(graphs.program("llama fp32"))
    assert runtime.bounds("prefill")["n_tokens"] == (1, 8)
    assert runtime.bounds("decode")["n_tokens"] == (1, 1)
    assert runtime.input_names("decode") == ("tokens",)
    assert runtime.output_names("decode") == ("logits",)
    with pytest.raises(RunError, match="no traced call"):
        runtime.timeline()


def test_slices_in_order_are_a_whole_run() -> None:
    case = graphs.case("mobilenet")
    runtime = NativeRuntime(graphs.program("mobilenet"))
    whole = runtime.call("forward", case.inputs(), {})
    seen = {name: runtime.view("forward", name, {}) for name in whole}
    for output in seen.values():
        output[...] = 0.0
    for name, value in case.inputs().items():
        runtime.view("forward", name, {})[...] = value
    count = runtime.num_tasks("forward")
    cuts = [0, 1, count // 2, count]
    took = [
        seconds
        for first, last in pairwise(cuts)
        for seconds in runtime.execute_slice("forward", {}, first, last)
    ]
    assert len(took) == count
    assert all(seconds >= 0 for seconds in took)
    assert all(np.array_equal(seen[name], whole[name]) for name in whole)


def test_a_slice_outside_the_tasks_is_refused() -> None:
    runtime = NativeRuntime(graphs.program("mobilenet"))
    with pytest.raises(RunError, match="no such tasks"):
        runtime.execute_slice("forward", {}, 0, runtime.num_tasks("forward") + 1)
