"""Laws of cost: faster is never slower, no cost beats its bound, energy adds up."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cost import Setting, Shape, Traffic, TrafficKind, Work, estimate, lower_bound, work
from netwright.cost.estimate import MODELS
from netwright.errors import UnsupportedError
from netwright.machine.load import library_machine
from netwright.machine.machine import COST_MODELS, Machine

MACHINES = ("stm32f746", "raspberry-pi-5", "epyc-7763", "h100-sxm", "tpu-v4i", "mi300x")

WORKS = st.builds(
    lambda operations, weights, read, written: Work(
        "matmul_quant",
        "q4_1",
        (1, 1, 1),
        (("int8", float(operations)), ("fp32", operations / 100)),
        (
            Traffic(TrafficKind.WEIGHTS, weights),
            Traffic(TrafficKind.ACTIVATIONS, read, written),
        ),
        weights + read + written,
    ),
    st.integers(0, 10**12),
    st.integers(0, 10**9),
    st.integers(0, 10**8),
    st.integers(0, 10**8),
)
REUSE = st.one_of(st.none(), st.integers(0, 10**10))


def faster(machine: Machine, memory: int, factor: float) -> Machine:
    """The machine with one memory read and written faster."""
    changed = list(machine.memories)
    m = changed[memory % len(changed)]
    read, write = m.read_bytes_per_second, m.write_bytes_per_second
    changed[memory % len(changed)] = replace(
        m,
        read_bytes_per_second=None if read is None else read * factor,
        write_bytes_per_second=None if write is None else write * factor,
    )
    return replace(machine, memories=tuple(changed))


def test_every_model_has_its_file() -> None:
    assert tuple(MODELS) == COST_MODELS


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(MACHINES), WORKS, REUSE, st.integers(0, 9), st.floats(1.0, 100.0))
def test_faster_memory_is_never_slower(
    name: str, task: Work, reuse: int | None, memory: int, factor: float
) -> None:
    machine = library_machine(name)
    better = faster(machine, memory, factor)
    setting = Setting(1, reuse)
    before = estimate(machine, machine.units[0], task, setting)
    after = estimate(better, better.units[0], task, setting)
    assert after.seconds <= before.seconds * (1 + 1e-12)
    assert lower_bound(better, better.units[0], task, setting) <= lower_bound(
        machine, machine.units[0], task, setting
    ) * (1 + 1e-12)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(MACHINES), WORKS, REUSE, st.floats(1.0, 100.0))
def test_faster_arithmetic_is_never_slower(
    name: str, task: Work, reuse: int | None, factor: float
) -> None:
    machine = library_machine(name)
    unit = machine.units[0]
    better = replace(unit, rates=tuple((a, r * factor) for a, r in unit.rates))
    setting = Setting(1, reuse)
    after = estimate(replace(machine, units=(better,)), better, task, setting)
    assert after.seconds <= estimate(machine, unit, task, setting).seconds * (1 + 1e-12)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(MACHINES), WORKS, REUSE, REUSE, st.integers(1, 64))
def test_no_cost_beats_its_bound(
    name: str, task: Work, weights: int | None, activations: int | None, units: int
) -> None:
    machine = library_machine(name)
    unit = machine.units[0]
    setting = Setting(min(units, unit.count), weights, activations)
    cost = estimate(machine, unit, task, setting)
    assert cost.seconds >= lower_bound(machine, unit, task, setting) * (1 - 1e-12)
    assert cost.interval.low <= cost.seconds <= cost.interval.high
    assert cost.joules is None or cost.joules >= 0


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(MACHINES[1:]), WORKS, st.integers(0, 10**9), st.integers(1, 8))
def test_weights_from_further_away_are_never_faster(
    name: str, task: Work, near: int, factor: int
) -> None:
    """Not for a microcontroller: its flash and its SRAM are read side by side."""
    machine = library_machine(name)
    unit = machine.units[0]
    before = lower_bound(machine, unit, task, Setting(1, near))
    assert before <= lower_bound(machine, unit, task, Setting(1, near * factor)) * (1 + 1e-12)


@settings(max_examples=100, deadline=None)
@given(WORKS, WORKS)
def test_energy_is_additive(first: Work, second: Work) -> None:
    """Two tasks one after the other take the sum: bytes and operations at their own price."""
    machine = replace(library_machine("tpu-v4i"), static_power_watts=50.0)
    unit = replace(
        machine.units[0],
        rates=(*machine.units[0].rates, ("int8", 1e14)),
        energy_joules_per_operation=(("int8", 4e-14), ("fp32", 1e-12)),
    )
    machine = replace(machine, units=(unit,))
    cold = Setting(1, 10**12, 10**12)
    both = Work(
        "matmul_quant",
        "q4_1",
        (1, 1, 1),
        tuple(
            (a, n + m) for (a, n), (_, m) in zip(first.operations, second.operations, strict=True)
        ),
        tuple(
            Traffic(a.kind, a.read_bytes + b.read_bytes, a.written_bytes + b.written_bytes)
            for a, b in zip(first.traffic, second.traffic, strict=True)
        ),
        first.working_set_bytes + second.working_set_bytes,
    )
    costs = [estimate(machine, unit, w, cold) for w in (first, second, both)]
    dynamic = [(c.joules or 0.0) - 50.0 * c.seconds for c in costs]
    assert dynamic[2] == pytest.approx(dynamic[0] + dynamic[1], rel=1e-6, abs=1e-9)


def test_a_gemv_at_the_bandwidth_bound_takes_bytes_over_bandwidth() -> None:
    """Closed form: 2048 x 2048 q8_0 weights (34 bytes for each 32) at 3.352 TB/s."""
    machine = library_machine("h100-sxm")
    operands = [
        Shape("fp32", (1, 2048)),
        Shape("act8x32", (1, 2048)),
        Shape("q8_0", (2048, 2048)),
    ]
    task = work("matmul_quant", operands, [0, 0.0, 0.0], {})
    bytes_moved = 2048 * 2048 * 34 / 32 + 4 * 2048 + 2048 * 44 / 32
    seconds = bytes_moved / 3.352e12
    cost = estimate(machine, machine.units[0], task, Setting(1, None, 10**12))
    assert lower_bound(machine, machine.units[0], task, Setting(1, None, 10**12)) == (
        pytest.approx(seconds, rel=1e-3)
    )
    assert cost.resource == "hbm3"


def test_missing_arithmetic_names_the_machine_and_what_it_has() -> None:
    machine = library_machine("edge-tpu")
    task = Work("softmax", "fp32", (1, 8), (("fp32", 8.0),), (), 0)
    with pytest.raises(UnsupportedError, match=r"edge-tpu.*fp32.*int8"):
        estimate(machine, machine.units[0], task)


def test_too_many_units_are_refused() -> None:
    machine = library_machine("raspberry-pi-5")
    task = Work("softmax", "fp32", (1, 8), (("fp32", 8.0),), (), 0)
    with pytest.raises(UnsupportedError, match="between 1 and 4"):
        estimate(machine, machine.units[0], task, Setting(5))
