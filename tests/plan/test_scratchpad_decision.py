"""A plan says what a scratchpad inside the outer memory makes of a pass."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from netwright.graph.graph import Graph
from netwright.graph.zoo.resnet import ResnetSizes, resnet
from netwright.graph.zoo.wired import WiredSizes, erdos_renyi, wired
from netwright.job.job import Generate, Infer
from netwright.machine.load import machine
from netwright.machine.machine import Machine
from netwright.plan.decision import Decision
from netwright.plan.make import make_plan, silent
from netwright.plan.scratchpad_decision import scratchpad_decision, scratchpad_of
from netwright.transform.standard import standard


def board(capacity_bytes: int) -> Machine:
    """A chip with a scratchpad of this size inside its DRAM."""
    found = machine("inferentia1")
    sram, dram = found.memories[0], found.memories[1:]
    return replace(found, memories=(replace(sram, capacity_bytes=capacity_bytes), *dram))


def network() -> Graph:
    return wired(erdos_renyi, WiredSizes(8, 1, 8, 32, 10))


def decided(graph: Graph, capacity_bytes: int) -> Decision:
    on = board(capacity_bytes)
    (found,) = scratchpad_decision(standard(graph)[0], on, on.units[0], Infer(), silent)
    return found


def test_the_memory_next_to_the_outermost_is_planned() -> None:
    on = board(1 << 20)
    found = scratchpad_of(on, on.units[0])
    assert found is not None
    assert found.name == "sram"
    for other in ("raspberry-pi-5", "stm32f746"):  # a cache; nothing inside the home
        there = machine(other)
        assert scratchpad_of(there, there.units[0]) is None
    assert not scratchpad_decision(network(), on, on.units[0], Generate(1, 1), silent)


def test_large_scratchpads_need_nothing_and_small_ones_say_what() -> None:
    enough = decided(network(), 1 << 24)
    assert enough.value == enough.bound == 0
    assert "optimal" in enough.chosen
    tight = decided(network(), 4096)
    assert tight.value is not None
    assert tight.bound is not None
    best, mean = (other.value for other in tight.alternatives)
    assert best is not None
    assert mean is not None
    assert 0 < tight.bound <= tight.value <= best <= mean
    assert "CP-SAT" in tight.method
    assert "pass in tiles" in tight.why
    assert decided(network(), 64).chosen == "not planned"


def test_explain_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = resnet(ResnetSizes(layers=(1, 1), width=8, image=16, classes=10))
    text = make_plan(graph, board(1 << 20), Infer()).explain()
    assert "scratchpad sram, 1.05 MB: 0 bytes of extra traffic in" in text
    home = sys.modules["netwright.plan.scratchpad_decision"]
    nothing: dict[str, None] = {}
    monkeypatch.setattr(home, "find_spec", nothing.get)
    assert "ortools" in decided(network(), 4096).method
