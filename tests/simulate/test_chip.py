"""The chip simulator against SANA-FE's figures for its Loihi, and against plain counts."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cost.spiking import pay
from netwright.errors import JobError
from netwright.graph.ops.neuron import If
from netwright.graph.ops.neuron_rule import Discretisation, Reset
from netwright.graph.tensor import TensorId
from netwright.machine.load import machine
from netwright.machine.spiking import SpikingMesh
from netwright.native import core
from netwright.plan.chip.axons import axons
from netwright.plan.chip.synapse import SPARSE, Population, Projection, Wiring
from netwright.simulate.chip import happened, trace_of

# SANA-FE 2.2.9, bundled Loihi, simple timing: neurons of threshold 1 with a bias, random fan-out.
# neurons, fan-out, steps, bias; spikes, synaptic events, packets, updates; joules of synapses,
# somas, network and all; seconds.
GOLDEN = (
    (1024, 32, 50, 0.05, 2048, 65536, 58282, 51200,
     2.2020096e-06, 3.8692864e-06, 7.2331884e-06, 1.33044844e-05, 0.0001051452),
    (4096, 64, 25, 0.1, 8192, 524288, 414282, 102400,
     1.76160768e-05, 8.0224256e-06, 5.14176144e-05, 7.70561168e-05, 0.0001266832),
)  # fmt: skip


def loihi() -> SpikingMesh:
    mesh = machine("loihi").spiking
    assert mesh is not None
    return mesh


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: str(row[0]))
def test_energies_and_time_are_those_of_sana_fe(row: tuple[float, ...]) -> None:
    neurons, fan_out, steps = (int(x) for x in row[:3])
    random.seed(0)  # as the peer's recipe draws them
    target = np.array([random.randrange(neurons) for _ in range(neurons * fan_out)])
    source = np.repeat(np.arange(neurons), fan_out)
    everyone = Population("hidden", TensorId(0), 0, neurons, False)
    wires = Wiring((everyone,), (Projection(source, target, SPARSE),))
    home = (np.arange(neurons) * 128 // neurons).astype(np.int32)
    kind = If(1.0, Discretisation(1.0, reset=Reset.ZERO))
    spikes = kind.reference([np.full((steps, 1, neurons), row[3]), None])[0]
    events = happened(trace_of([spikes]), axons(wires, home, loihi()), home, loihi())
    found = pay(loihi(), events)
    counted = (events.fired, events.synapses, events.packets_in)
    assert [int(c.sum()) for c in counted] == [int(x) for x in row[4:7]]
    assert int(events.updated.sum()) * steps == row[7]
    joules = (found.synapse_joules, found.soma_joules, found.network_joules)
    parts = [float(j.sum()) for j in joules]
    for ours, theirs in zip((*parts, sum(parts), found.step_seconds.sum()), row[8:], strict=True):
        assert abs(ours / theirs - 1) < 1e-12


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(0, 80), st.integers(1, 6), st.integers(0, 2**31))
def test_counts_are_those_of_a_plain_loop(n: int, synapses: int, steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    outside = int(rng.integers(0, n))
    target = rng.integers(outside, n, synapses)
    source = rng.integers(0, n, synapses)
    populations = (
        Population("in", 0, 0, outside, True),
        Population("on", 1, outside, n - outside, False),
    )
    wires = Wiring(populations, (Projection(source, target, SPARSE),))
    mesh = loihi()
    home = rng.integers(0, mesh.num_cores, n).astype(np.int32)
    home[:outside] = -1
    fired = rng.random((steps, 1, n)) < 0.4
    split = [fired[:, :, :outside].astype(float), fired[:, :, outside:].astype(float)]
    events = happened(trace_of(split), axons(wires, home, mesh), home, mesh)
    packets = np.zeros((steps, mesh.num_cores), int)
    landed = np.zeros_like(packets)
    columns = rows = 0
    for t in range(steps):
        for i in np.flatnonzero(fired[t, 0]):
            heard = home[target[source == i]]
            np.add.at(landed[t], heard, 1)
            for listener in set(heard.tolist()):
                packets[t, listener] += 1
                here, there = mesh.place(max(int(home[i]), 0)), mesh.place(listener)
                columns += abs(here[0] - there[0])
                rows += abs(here[1] - there[1])
    np.testing.assert_array_equal(events.packets_in, packets)
    np.testing.assert_array_equal(events.synapses.sum(2), landed)
    assert (events.column_hops.sum(), events.row_hops.sum()) == (columns, rows)
    assert events.fired.sum() == fired[:, :, outside:].sum()


def test_spikes_must_be_spikes_of_the_same_steps() -> None:
    with pytest.raises(JobError, match="0 and 1"):
        trace_of([np.full((2, 1, 3), 0.5)])
    with pytest.raises(JobError, match="differ"):
        trace_of([np.zeros((2, 1, 3)), np.zeros((3, 1, 3))])


def test_the_core_refuses_what_is_not_there() -> None:
    def counted(step: list[int], neuron: list[int], ends: list[int], home: list[int]) -> None:
        out = [np.zeros((1, 2), np.int64) for _ in range(3)]
        core.chip_count(
            np.array(step), np.array(neuron, np.int32), np.array([0, 1]), np.array(ends, np.int32),
            np.ones(1, np.int32), np.zeros(1, np.int8), np.array(home, np.int32), *out,
            np.zeros((1, 2, 3), np.int64),
        )  # fmt: skip

    counted([0, 1], [0], [1], [0])
    for bad in (
        ([0, 2], [0], [1], [0]),
        ([0, 1], [1], [1], [0]),
        ([0, 1], [0], [2], [0]),
        ([0, 1], [0], [1], [2]),
    ):
        with pytest.raises(ValueError, match=r"must rise|not there"):
            counted(*bad)
