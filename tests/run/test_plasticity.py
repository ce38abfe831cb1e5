"""Synapses that learn, through plan and lowering: native, the records' reference, the graph's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import UnsupportedError
from netwright.graph.build import Builder
from netwright.graph.format import FP32, FP64, INT64
from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.liquid import Grid, Learning, Wires, liquid, wires
from netwright.graph.ops.plasticity import PlasticConnect, Stdp
from netwright.graph.ops.position import StateUpdate
from netwright.job.job import Infer, Job, Limits, Stream
from netwright.machine.load import library_machine
from netwright.native import core
from netwright.plan import draft
from netwright.plan.make import make_plan
from netwright.program.program import Program
from netwright.run import native
from netwright.run.native import NativeRuntime
from netwright.run.reference import ReferenceRuntime

STEPS, SMALL = 40, Grid((5, 4, 3), 30, seed=1)


def program_of(graph: Graph, job: Job) -> Program:
    return make_plan(graph, library_machine("raspberry-pi-5"), job).program


def spikes_of(steps: int, batch: int, inputs: int, seed: int = 3) -> Any:
    return (np.random.default_rng(seed).random((steps, batch, inputs)) < 0.3).astype(np.float32)


def streamed(program: Program, spikes: Any, threads: int = 1) -> dict[str, Any]:
    runtime = NativeRuntime(program, threads=threads)
    runtime.execute("start", {})
    return runtime.call("step", {"spikes": spikes}, {})


def shuffled(known: Wires, seed: int) -> Wires:
    order = np.random.default_rng(seed).permutation(len(known.source))
    ends = (array[order] for array in (known.source, known.target, known.weight))
    return Wires(known.inputs, known.neurons, *ends)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 99), st.integers(1, 3), st.booleans(), st.floats(0.05, 0.5))
def test_a_liquid_learns_alike_everywhere(
    seed: int, batch: int, ordered: bool, rise: float
) -> None:
    """Step by step with states kept between calls, and as a stream; weights in any order."""
    known = wires(SMALL) if ordered else shuffled(wires(SMALL), seed)
    graph, given_ = liquid(known, batch, Learning(rise=rise)), spikes_of(STEPS, batch, 30, seed)
    step, state, expected = Interpreter(graph), {}, []
    for row in given_:
        outputs, state = step({"spikes": row[None]}, {}, state)
        expected.append(outputs["fired"][0])
    program = program_of(graph, Infer())
    for runtime in (NativeRuntime(program), ReferenceRuntime(program)):
        runtime.call("start", {}, {})
        found = [runtime.call("forward", {"spikes": row[None]}, {}) for row in given_]
        fired = np.array([f["fired"][0] for f in found])
        np.testing.assert_array_equal(fired, np.array(expected))
        np.testing.assert_allclose(found[-1]["learnt"], state["weight"], atol=1e-5)
    whole = streamed(program_of(graph, Stream(steps=STEPS)), given_)
    np.testing.assert_array_equal(whole["fired"].reshape(fired.shape), np.array(expected))
    assert np.array(expected).sum() > 20
    assert not np.array_equal(whole["learnt"][0], known.weight)


def test_threads_and_forms_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into parts over samples and blocks of targets, and without AVX2."""
    known = wires(Grid((10, 10, 10), 400))
    graph, given_ = liquid(known, 2, Learning()), spikes_of(30, 2, 400)
    expected = streamed(program_of(graph, Stream(steps=30, limits=Limits(threads=1))), given_)
    for threads in (2, 3):
        chosen = {"step": threads, "start": 1}, ()
        monkeypatch.setattr(draft, "choose_threads", lambda *_, chosen=chosen: chosen)
        program = program_of(graph, Stream(steps=30, limits=Limits(threads=threads)))
        parts = {t.opcode: t.parts for t in program.entries[0].tasks}
        assert parts["stdp"] > 2 and parts["plastic_connect"] > 2
        found = streamed(program, given_, threads)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)

    class Plain:
        """The core, as on a processor without AVX2."""

        def __getattr__(self, name: str) -> Any:
            return (lambda: False) if name == "has_avx2" else getattr(core, name)

    monkeypatch.setattr(native, "core", Plain())
    plain = streamed(program, given_)
    for name, value in expected.items():
        np.testing.assert_array_equal(plain[name], value)


def test_a_stream_goes_on_where_the_last_call_ended() -> None:
    known, given_ = wires(SMALL), spikes_of(40, 1, 30)
    graph = liquid(known, 1, Learning())
    expected = streamed(program_of(graph, Stream(steps=40)), given_)
    runtime = NativeRuntime(program_of(graph, Stream(steps=20)))
    for _ in range(2):
        runtime.reset()
        runtime.execute("start", {})
        rows = [runtime.call("step", {"spikes": half}, {}) for half in (given_[:20], given_[20:])]
        both = np.concatenate([r["fired"] for r in rows])
        np.testing.assert_array_equal(both, expected["fired"])
        np.testing.assert_array_equal(rows[-1]["learnt"], expected["learnt"])


def synapse(b: Builder, source: Any, target: Any, form: Any = FP32) -> tuple[Graph, Any]:
    """Learning, and then a sum that must still see the weights from before it."""
    edges = len(source)
    pre = b.input("pre", (("t", 1), ("b", 1), ("n", 2)))
    post = b.input("post", (("t", 1), ("b", 1), ("m", 2)))
    first = np.linspace(0.25, 1.0, edges)[None]
    weight = b.state("weight", (("b", 1), ("e", edges)), form, first)
    ends = [b.weight(n, (("e", edges),), INT64, array) for n, array in
            (("source", source), ("target", target))]  # fmt: skip
    end = b.weight("end", (("e", edges),), FP32, np.full(edges, 3.0))
    traces = [b.input(n, (("b", 1), ("k", 2))) for n in ("x", "y")]
    fall = b.input("fall", (("b", 1), ("one", 1)))
    given_ = (weight, end, *ends, pre, post, *traces, fall)
    learnt = b.add_all(Stdp(0.5), given_, "stdp", [form])[0]
    sums = b.add(PlasticConnect(2), (pre, weight, *ends), "sums")
    after = b.add(StateUpdate(), (weight, learnt), "after")
    return b.finish((sums, after)), first


def test_whoever_reads_the_weights_later_sees_those_from_before() -> None:
    graph, first = synapse(Builder("late"), np.array([1, 0, 1]), np.array([0, 1, 1]))
    ones, half = np.ones((1, 1, 2), np.float32), np.full((1, 2), 0.5, np.float32)
    given_ = {"pre": ones, "post": ones, "x": half, "y": half, "fall": half[:, :1]}
    runtime = NativeRuntime(program_of(graph, Infer()))
    runtime.execute("start", {})
    step, state = Interpreter(graph), {}
    for _ in range(3):
        expected, state = step(given_, {}, state)
        found = runtime.call("forward", given_, {})
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, atol=1e-6)
    assert first.shape == found["after"].shape


@pytest.mark.parametrize(
    ("source", "target", "form", "message"),
    [
        ([0, 2], [0, 1], FP32, "a source is none of 2"),
        ([0, 1], [0, -1], FP32, "a target is none of 2"),
        ([0, 1], [0, 1], FP64, "is fp64"),
        ([], [], FP32, "0 synapses"),
    ],
)
def test_what_no_kernel_does_is_said(source: Any, target: Any, form: Any, message: str) -> None:
    ends = np.array(source, int), np.array(target, int)
    graph, _ = synapse(Builder("refused"), *ends, form)
    with pytest.raises(UnsupportedError, match=message):
        program_of(graph, Infer())
