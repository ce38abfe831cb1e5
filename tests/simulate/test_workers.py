"""Passes and transfers on shared processors: closed forms, and laws of sharing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import ProgramError
from netwright.plan.pipeline.build import build
from netwright.plan.pipeline.lower import TRANSFER
from netwright.plan.pipeline.step import UPDATE, lower_step
from netwright.program.program import Program
from netwright.simulate.workers import simulate_workers
from netwright.timeline.verify import verify_timeline

COSTS = {"stage_forward": 1.0, "stage_backward": 2.0, "stage_input_gradient": 1.0,
         "stage_weight_gradient": 1.0, UPDATE: 0.5}  # fmt: skip


def program(name: str, workers: int, microbatches: int) -> Program:
    return lower_step(build(name, workers, microbatches), 1 << 10, 0.5)


def seconds(of: Program, transfer: float) -> list[float]:
    tasks = of.entries[0].tasks
    return [transfer if t.opcode == TRANSFER else COSTS[t.opcode] for t in tasks]


@given(st.integers(1, 4), st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_one_f_one_b_with_a_processor_each(workers: int, microbatches: int) -> None:
    """(m + p - 1)(F + B) and the optimiser (Narayanan et al., ICML 2021)."""
    one = program("1f1b", workers, microbatches)
    found = simulate_workers(one, seconds(one, 0.0), workers)
    verify_timeline(found)
    assert found.seconds == pytest.approx(3.0 * (microbatches + workers - 1) + 0.5)


def test_latency_is_not_bandwidth() -> None:
    """GPipe fills both links at once: a late link costs its latency four times, not m times."""
    one = program("gpipe", 3, 5)
    assert simulate_workers(one, seconds(one, 9.0), 3).seconds == pytest.approx(
        simulate_workers(one, seconds(one, 0.0), 3).seconds + 4 * 9.0
    )


@given(st.sampled_from(("gpipe", "1f1b", "zb-h1")), st.integers(2, 4), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_shared_processors(name: str, workers: int, microbatches: int) -> None:
    one = program(name, workers, microbatches)
    cost = seconds(one, 0.25)
    work = sum(c for c, t in zip(cost, one.entries[0].tasks, strict=True) if t.opcode != TRANSFER)
    times = [simulate_workers(one, cost, n) for n in range(1, workers + 1)]
    for count, found in enumerate(times, start=1):
        verify_timeline(found)
        assert found.seconds >= work / count - 1e-9
        assert found.peak_memory_bytes == times[-1].peak_memory_bytes
    assert times[0].seconds >= times[-1].seconds - 1e-9
    if name == "gpipe" and microbatches > 1:
        assert times[0].seconds > times[-1].seconds


def test_what_does_not_fit_is_refused() -> None:
    one = program("1f1b", 2, 2)
    with pytest.raises(ProgramError, match="3 times for 14 tasks, 2 processors"):
        simulate_workers(one, [1.0] * 3, 2)
