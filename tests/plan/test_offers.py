"""Every kernel that is offered for an operator computes it; what is taken is what was priced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cost.formulas import work
from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.interpret import interpret
from netwright.graph.ops.conv import Conv
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear
from netwright.job.job import Infer, Limits
from netwright.machine.load import library_machine
from netwright.machine.machine import Machine
from netwright.machine.table import Point, Regime, Table
from netwright.plan.draft import draft
from netwright.plan.make import make_plan
from netwright.plan.pick import MEASURED, ROOFLINE, Weighed, fastest, smallest
from netwright.run.native import NativeRuntime
from netwright.run.reference import ReferenceRuntime
from netwright.transform.standard import standard

MACHINE = library_machine("raspberry-pi-5")


def convolution(
    kind: Conv, x: tuple[int, ...], weight: tuple[int, ...], residual: bool = False
) -> tuple[Graph, dict[str, np.ndarray]]:
    rng = np.random.default_rng(sum(weight))
    b = Builder("conv")
    image = b.input("x0", tuple((f"d{d}", n) for d, n in enumerate(x)))
    dims = tuple((f"w{d}", n) for d, n in enumerate(weight))
    table = b.weight("w", dims, data=(rng.standard_normal(weight).astype(np.float32),))
    bias = b.weight("b", (("o", weight[0]),), data=(rng.standard_normal(weight[0]),))
    given_ = [image, table, bias]
    values = {"x0": rng.standard_normal(x).astype(np.float32)}
    if residual:
        out = (x[0], weight[0], *x[2:])
        given_.append(b.input("r", tuple((f"r{d}", n) for d, n in enumerate(out))))
        values["r"] = rng.standard_normal(out).astype(np.float32)
    return b.finish((b.add(kind, tuple(given_)),)), values


def every_offer(graph: Graph, values: dict[str, np.ndarray], bound: float) -> set[str]:
    """Runs each offer on both runtimes; what was offered."""
    expected, _ = interpret(graph, values, {}, {})
    flat, _ = standard(graph)
    names: tuple[str, ...] = (
        draft(flat, MACHINE, Infer()).weighed
        and next(iter(draft(flat, MACHINE, Infer()).weighed)).names
    )
    for index in range(len(names)):
        program = draft(flat, MACHINE, Infer(), lambda w, i=index: i).program
        for runtime in (NativeRuntime(program), ReferenceRuntime(program)):
            found = runtime.call("forward", values, {})
            for name, array in expected.items():
                scale = float(np.abs(array).max()) + 1.0
                np.testing.assert_allclose(found[name], array, rtol=0, atol=bound * scale)
    return set(names)


@settings(max_examples=15, deadline=None)
@given(
    kernel=st.sampled_from([(3, 3), (1, 1), (5, 1), (1, 4)]),
    strides=st.sampled_from([(1, 1), (1, 1), (2, 2), (2, 1)]),
    pads=st.sampled_from([((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (1, 0))]),
    extents=st.sampled_from([(7, 9), (12, 1), (1, 15), (1, 1)]),
    batch=st.integers(1, 2),
    outputs=st.sampled_from([1, 8, 19]),
    residual=st.booleans(),
)
def test_convolutions_by_every_kernel(
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[tuple[int, int], ...],
    extents: tuple[int, int],
    batch: int,
    outputs: int,
    residual: bool,
) -> None:
    sizes = [
        (n + sum(p) - k) // s + 1 for n, p, k, s in zip(extents, pads, kernel, strides, strict=True)
    ]
    if any(n + sum(p) < k for n, p, k in zip(extents, pads, kernel, strict=True)):
        return
    kind = Conv(strides, pads, (1, 1), 1, Function("relu"))
    same = tuple(sizes) == extents
    graph, values = convolution(
        kind, (batch, 6, *extents), (outputs, 6, *kernel), residual and same
    )
    names = every_offer(graph, values, 1e-4)
    plain = pads == ((0, 0), (0, 0))
    assert ("Winograd, tiles of 4x4" in names) == (kernel == (3, 3) and strides == (1, 1))
    assert ("product of matrices" in names) >= (plain and kernel == strides == (1, 1))


def test_lines_are_products_of_matrices() -> None:
    for extents, kernel in (((1, 20), (1, 4)), ((20, 1), (5, 1))):
        graph, values = convolution(
            Conv((1, 1), ((0, 0), (0, 0)), (1, 1), 1), (1, 8, *extents), (24, 8, *kernel)
        )
        assert every_offer(graph, values, 1e-5) == {"direct", "product of matrices"}


def linear(rows: int) -> tuple[Graph, dict[str, np.ndarray]]:
    rng = np.random.default_rng(rows)
    b = Builder("linear")
    x = b.input("x0", (("t", rows), ("k", 40)))
    w = b.weight("w", (("n", 30), ("k", 40)), data=(rng.standard_normal((30, 40)),))
    values = {"x0": rng.standard_normal((rows, 40)).astype(np.float32)}
    return b.finish((b.add(Linear(), (x, w)),)), values


@pytest.mark.parametrize("rows", [1, 7])
def test_products_packed_and_as_shipped(rows: int) -> None:
    assert every_offer(*linear(rows), 1e-5) == {"packed weight", "weight as shipped"}


WEIGHED = Weighed("op", (), ("a", "b", "c"), (MEASURED, MEASURED, ROOFLINE), (2.0, 1.0, 0.5), 0.1,
                  (10, 40, 20))  # fmt: skip


def test_a_roofline_is_not_set_against_measurements() -> None:
    assert fastest(WEIGHED) == 1
    assert fastest(replace(WEIGHED, methods=(ROOFLINE,) * 3)) == 2
    assert fastest(replace(WEIGHED, seconds=(1.0, 1.0, 0.5))) == 0
    assert smallest(WEIGHED) == 0


def measured(seconds: dict[tuple[str, str], float]) -> Machine:
    """A machine whose tables say that these kernels take so long, whatever the size."""
    unit = MACHINE.units[0]
    tables = tuple(
        Table(
            opcode,
            variant,
            regime,
            tuple(Point((n,) * (3 if "wino" in opcode else 4), took, 0.01) for n in (1, 1000)),
        )
        for (opcode, variant), took in seconds.items()
        for regime in Regime
    )
    return replace(MACHINE, units=(replace(unit, cost_model="table", tables=tables),))


DIRECT, SMALL, LARGE = ("conv_packed", "window"), ("conv_winograd", "2x2"), ("conv_winograd", "4x4")


@pytest.mark.parametrize(
    ("seconds", "taken"),
    [
        ({DIRECT: 1.0, SMALL: 2.0, LARGE: 3.0}, "direct"),
        ({DIRECT: 2.0, SMALL: 1.0, LARGE: 3.0}, "Winograd, tiles of 2x2"),
        ({DIRECT: 3.0, SMALL: 2.0, LARGE: 1.0}, "Winograd, tiles of 4x4"),
        ({DIRECT: 3.0}, "direct"),
    ],
)
def test_the_table_decides(seconds: dict[tuple[str, str], float], taken: str) -> None:
    graph, _ = convolution(
        Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 1), (1, 16, 12, 12), (16, 16, 3, 3)
    )
    plan = make_plan(graph, measured(seconds), Infer(limits=Limits(threads=1)))
    (decision,) = [d for d in plan.decisions if d.subject.startswith("kernel of")]
    assert decision.chosen == taken
    assert len(decision.alternatives) == 3
    assert decision.bound is not None and decision.value is not None
    assert decision.bound <= decision.value
    opcode = "conv_packed" if taken == "direct" else "conv_winograd"
    assert [t.opcode for t in plan.program.entries[0].tasks if "conv" in t.opcode] == [opcode]
    assert taken in plan.explain()


def deep(layers: int) -> Graph:
    rng = np.random.default_rng(0)
    b = Builder("deep")
    x = b.input("x", (("n", 1), ("c", 64), ("h", 8), ("w", 8)))
    for i in range(layers):
        dims = (("o", 64), ("i", 64), ("kh", 3), ("kw", 3))
        w = b.weight(f"w{i}", dims, data=(rng.standard_normal((64, 64, 3, 3)),))
        x = b.add(Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 1), (x, w))
    return b.finish((x,))


def test_a_limit_on_memory_is_kept_by_smaller_kernels_and_used_up() -> None:
    """A 64x64 window weighs 147 KB direct, 262 KB in tiles of 2x2, 590 KB in tiles of 4x4."""
    machine = measured({DIRECT: 3e-3, SMALL: 2e-3, LARGE: 1e-3})
    peaks: list[int] = []
    seconds: list[float] = []
    for limit in (None, 3_000_000, 2_300_000, 1_600_000):
        plan = make_plan(deep(6), machine, Infer(limits=Limits(memory_bytes=limit, threads=1)))
        assert plan.infeasible is None
        if limit is not None:
            assert limit - 300_000 < plan.peak_memory_bytes <= limit
        peaks.append(plan.peak_memory_bytes)
        seconds.append(plan.predictions[0].seconds)
    assert peaks == sorted(peaks, reverse=True)
    assert seconds == sorted(seconds)
    assert "would not fit" in plan.explain()
    least = make_plan(deep(6), machine, Infer(limits=Limits(memory_bytes=900_000)))
    assert least.infeasible is not None
    assert {t.opcode for t in least.program.entries[0].tasks} == {"conv_packed", "copy"}


def test_cost_counts_the_products_of_the_tiles() -> None:
    graph, _ = convolution(
        Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 1), (1, 96, 20, 20), (24, 96, 3, 3)
    )
    flat, _ = standard(graph)
    program = draft(flat, MACHINE, Infer(), lambda w: 2).program
    (task,) = [t for t in program.entries[0].tasks if t.opcode == "conv_winograd"]
    demand = work(task.opcode, task.operands, task.parameters, {})
    assert (demand.variant, demand.sizes) == ("4x4", (25, 96, 24))
    products = 2 * 25 * 36 * 96 * 24
    assert products < demand.num_operations < 1.3 * products
