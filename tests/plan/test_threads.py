"""Units: the measured speed of several together decides how many, and unequal ones finish close."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.ops.linear import Linear
from netwright.job.job import Infer
from netwright.machine.load import library_machine
from netwright.machine.machine import Machine
from netwright.plan.make import make_plan
from netwright.simulate.split import claimed


def product(rows: int = 256) -> Graph:
    b = Builder("product")
    x = b.input("x", (("t", rows), ("k", 512)))
    w = b.weight("w", (("n", 512), ("k", 512)), data=(np.ones((512, 512), np.float32),))
    return b.finish((b.add(Linear(), (x, w)),))


def two_cores(together: float, barrier_seconds: float = 1e-6) -> Machine:
    """Two cores that do `together` times the work of one; main memory is no limit."""
    machine = library_machine("raspberry-pi-5")
    unit = replace(machine.units[0], count=2, units_speed=((1, 1.0), (2, together)))
    memories = tuple(
        replace(m, read_bytes_per_second=1e13, write_bytes_per_second=1e13, units_read=())
        for m in machine.memories
    )
    return replace(machine, units=(unit,), memories=memories, synchronise_seconds=barrier_seconds)


@pytest.mark.parametrize(("together", "threads"), [(2.0, 2), (1.3, 2), (1.0, 1), (0.8, 1)])
def test_the_measured_speed_together_decides_how_many(together: float, threads: int) -> None:
    plan = make_plan(product(), two_cores(together), Infer())
    assert plan.program.entries[0].threads == threads
    text = plan.explain()
    assert f"2 are {together:.2f} times one" in text


def test_a_slow_second_core_is_left_out_of_short_tasks() -> None:
    """What it saves must be more than the barrier that it costs."""
    slow = two_cores(1.1, barrier_seconds=2e-4)
    assert make_plan(product(8), slow, Infer()).program.entries[0].threads == 1
    assert make_plan(product(4096), slow, Infer()).program.entries[0].threads == 2


def test_a_phone_runs_on_the_kind_of_core_that_is_fastest_together() -> None:
    phone = library_machine("snapdragon-8-gen-2")
    plan = make_plan(product(), phone, Infer())
    (kind,) = [d for d in plan.decisions if d.subject == "kind of unit"]
    seconds = {a.name: a.value for a in kind.alternatives}
    assert kind.chosen == "performance"
    assert seconds["4 x performance"] == min(v for v in seconds.values() if v is not None)
    # Were there one of them, the one large core would be faster.
    few = tuple(replace(u, count=1) for u in phone.units)
    alone = make_plan(product(), replace(phone, units=few), Infer())
    assert [d.chosen for d in alone.decisions if d.subject == "kind of unit"] == ["prime"]


def test_what_the_explanation_says_of_the_split_is_that_bound() -> None:
    plan = make_plan(product(), two_cores(1.5), Infer())
    (entry,) = plan.program.entries
    least = min(t.parts for t in entry.tasks if t.parts > 1)
    (split,) = [d for d in plan.decisions if d.subject == "split of forward"]
    assert f"at most {1 / least:.0%} of the slowest unit's time" in split.why
    # A second core of half the speed: one and a half of one together.
    ended = claimed(1.0, least, [1.0, 0.5])
    assert ended.span_seconds <= 1 / 1.5 + 1 / least / 0.5
    assert ended.work[0] > ended.work[1]
