"""Formats chosen under limits, remedies of plans that do not fit, threads and entries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from netwright.errors import PlanError, UnsupportedError
from netwright.graph.format import format_of
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.graph.op import Op
from netwright.graph.ops.movement import Slice
from netwright.graph.tensor import Dim, Role, TensorId
from netwright.graph.unroll import unrolled
from netwright.graph.zoo import llama
from netwright.graph.zoo.llama import LlamaSizes
from netwright.job.job import Choose, Generate, Limits, Uniform
from netwright.machine.load import library_machine
from netwright.plan.all_rows import with_all_rows
from netwright.plan.make import make_plan
from netwright.plan.plan import Plan
from netwright.run.native import NativeRuntime
from netwright.transform.quantise import quantise, sampled_error

MACHINE = library_machine("raspberry-pi-5")
JOB = Generate(prompt=24, tokens=8, chunk=24, verify=4)


def of_last_token(graph: Graph) -> Graph:
    """The same with logits of the last token alone: a slice before the last two operators."""
    ops = [op for op, _ in graph.ops()]
    tokens, width = graph[ops[-2].outputs[0]].shape
    tensors = list(graph.tensors)
    for op in ops[-2:]:
        old = tensors[op.outputs[0]]
        tensors[op.outputs[0]] = replace(old, dims=(replace(old.dims[0], size=1), *old.dims[1:]))
    x = ops[-2].inputs[0]
    assert x is not None
    row = TensorId(len(tensors))
    tensors.append(replace(tensors[x], name="row", dims=(Dim("row", 1), *tensors[x].dims[1:])))
    cut = Op("last", Slice((tokens - 1, 0), (tokens, width), (1, 1)), (x,), (row,))
    normal = replace(ops[-2], inputs=(row, *ops[-2].inputs[1:]))
    return replace(graph, tensors=tuple(tensors), body=(*ops[:-2], cut, normal, ops[-1]))


def network() -> Graph:
    """A small llama whose matrices are all in q8_0."""
    graph = of_last_token(unrolled(llama(LlamaSizes(width=256, hidden=512, context=64))))
    wanted = {
        TensorId(i): format_of("q8_0")
        for i, t in enumerate(graph.tensors)
        if t.role is Role.WEIGHT and len(t.shape) == 2
    }
    return quantise(graph, wanted).graph


def planned(limit_bytes: int | None = None, seconds: float | None = None) -> Plan:
    limits = Limits(memory_bytes=limit_bytes, seconds=seconds, threads=2)
    return make_plan(network(), MACHINE, replace(JOB, precision=Choose(), limits=limits))


def loss_of(plan: Plan) -> float:
    (decision,) = [d for d in plan.decisions if d.subject == "precision"]
    return decision.value or 0.0


def test_nothing_changes_where_there_is_room() -> None:
    kept, chosen = make_plan(network(), MACHINE, replace(JOB, limits=Limits(threads=2))), planned()
    assert chosen.infeasible is None
    assert [e.tasks for e in chosen.program.entries] == [e.tasks for e in kept.program.entries]


def test_a_limit_on_memory_is_kept_at_least_loss() -> None:
    whole = planned().peak_memory_bytes
    losses = [0.0]
    for share in (0.9, 0.75, 0.6):
        plan = planned(int(whole * share))
        assert plan.infeasible is None
        assert plan.peak_memory_bytes <= whole * share
        losses.append(loss_of(plan))
        (decision,) = [d for d in plan.decisions if d.subject == "precision"]
        assert decision.bound is not None
        assert decision.bound <= losses[-1] * (1 + 1e-9)
    assert losses == sorted(losses)
    assert losses[-1] > 0.0


def test_a_limit_on_time_is_kept() -> None:
    kept = planned()
    limit = 0.85 * kept.prediction("decode").seconds
    plan = planned(seconds=limit)
    assert plan.infeasible is None
    assert plan.prediction("decode").seconds <= limit
    assert loss_of(plan) > 0.0


def test_chosen_formats_run() -> None:
    """The program computes what the graph with these very weights means."""
    plan = planned(int(planned().peak_memory_bytes * 0.6))
    ids = np.arange(8, dtype=np.int32)
    runtime = NativeRuntime(plan.lower())
    (got,) = runtime.call("prefill", {"tokens": ids}, {"n_tokens": 8, "n_past": 0}).values()
    (true,) = interpret(network(), {"tokens": ids}, {"n_tokens": 8, "n_past": 0}, {})[0].values()
    error = np.linalg.norm(got - true) / np.linalg.norm(true)
    assert error < 0.5  # of 4 bits, not of a wrong layout


def test_one_format_for_all() -> None:
    job = replace(JOB, precision=Uniform("q5_0"), limits=Limits(threads=2))
    plan = make_plan(network(), MACHINE, job)
    (decision,) = [d for d in plan.decisions if d.subject == "precision"]
    assert "q5_0" in decision.chosen
    assert "q8_0" not in decision.chosen
    with pytest.raises(UnsupportedError, match=r"no weight can be in fp8_e5m2; there are kernels"):
        make_plan(network(), MACHINE, replace(job, precision=Uniform("fp8_e5m2")))


@pytest.mark.parametrize("limit", [{"limit_bytes": 20_000}, {"seconds": 1e-9}])
def test_what_cannot_be_says_by_how_much(limit: dict[str, float]) -> None:
    plan = planned(**limit)  # type: ignore[arg-type]
    assert plan.infeasible is not None
    assert plan.infeasible.gap > 0
    assert plan.infeasible.levers
    with pytest.raises(PlanError, match=r"does not fit: .* it would fit with"):
        plan.lower()


def test_remedies_are_computed() -> None:
    """Each lever, when pulled, makes the plan fit: the format, and the context."""
    whole = planned().peak_memory_bytes
    limits = Limits(memory_bytes=int(whole * 0.75), threads=2)
    plan = make_plan(network(), MACHINE, replace(JOB, limits=limits))
    assert plan.infeasible is not None
    names = [lever.name for lever in plan.infeasible.levers]
    (form,) = {n.removeprefix("weights in ") for n in names if n.startswith("weights in q5")}
    fits = make_plan(network(), MACHINE, replace(JOB, precision=Choose((form,)), limits=limits))
    assert fits.infeasible is None


def test_remedies_name_machines() -> None:
    plan = make_plan(network(), library_machine("cortex-m4"), JOB)
    assert plan.infeasible is not None
    names = [lever.name for lever in plan.infeasible.levers]
    machines = [n.removesuffix(" as the machine") for n in names if n.endswith("as the machine")]
    assert machines
    for name in machines:
        assert make_plan(network(), library_machine(name), JOB).infeasible is None


def test_a_sample_of_everything_is_exact() -> None:
    graph = network()
    for identity in (TensorId(i) for i, t in enumerate(graph.tensors) if len(t.shape) == 2):
        tensor = graph[identity]
        if tensor.role is not Role.WEIGHT:
            continue
        (change,) = quantise(graph, {identity: format_of("q4_0")}).changes
        whole = sampled_error(tensor, format_of("q4_0"), 1 << 30)
        assert whole == pytest.approx(change.relative_rms**2, rel=1e-9)


def test_verification_equals_single_tokens() -> None:
    """One pass over n tokens gives the very bits that n passes give, at any past."""
    runtime = NativeRuntime(make_plan(network(), MACHINE, JOB).program)
    ids = np.random.default_rng(0).integers(0, 64, 12).astype(np.int32)
    rows: list[np.ndarray] = []
    for past in range(len(ids)):
        out = runtime.call(
            "decode", {"tokens": ids[past : past + 1]}, {"n_tokens": 1, "n_past": past}
        )
        rows.append(out["logits"][0])
    for past, count in ((0, 4), (4, 3), (7, 2), (8, 4)):
        symbols = {"n_tokens": count, "n_past": past}
        out = runtime.call("verify", {"tokens": ids[past : past + count]}, symbols)["logits"]
        assert out.shape[0] == count
        assert np.array_equal(out, np.stack(rows[past : past + count]))


def test_all_rows_mean_the_same() -> None:
    """The last of all rows is the row that the network itself gives."""
    graph = network()
    ids, symbols = np.arange(5, dtype=np.int32), {"n_tokens": 5, "n_past": 0}
    (last,) = interpret(graph, {"tokens": ids}, symbols, {})[0].values()
    assert last.shape[0] == 1
    (rows,) = interpret(with_all_rows(graph), {"tokens": ids}, symbols, {})[0].values()
    assert rows.shape[0] == 5
    np.testing.assert_allclose(rows[-1:], last, rtol=1e-12)


def test_no_verification_where_none_is_wanted() -> None:
    names = [e.name for e in make_plan(network(), MACHINE, replace(JOB, verify=0)).program.entries]
    assert names == ["prefill", "decode"]


def test_threads_of_each_entry_and_the_same_bits() -> None:
    """Entries use what was decided for them; the number of threads changes no bit."""
    plan = make_plan(network(), MACHINE, JOB)
    for entry in plan.program.entries:
        (decision,) = [d for d in plan.decisions if d.subject == f"threads of {entry.name}"]
        assert decision.chosen.startswith(f"{plan.program.threads_of(entry)} x")
        values = [a.value for a in decision.alternatives if a.value is not None]
        assert decision.value == min(values)
    ids, symbols = np.arange(24, dtype=np.int32), {"n_tokens": 24, "n_past": 0}
    outs = [
        NativeRuntime(plan.program, threads).call("prefill", {"tokens": ids}, symbols)["logits"]
        for threads in (None, 1, 3)
    ]
    assert np.array_equal(outs[0], outs[1])
    assert np.array_equal(outs[0], outs[2])
