"""No flush: gradients are late by what the order says, and what is done against that is exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.transform.torch_gpt import torch_loss, weights_of

from netwright.errors import JobError, PlanError
from netwright.graph.build import Builder
from netwright.graph.format import FP32
from netwright.graph.interpret import interpret
from netwright.graph.zoo.gpt import GptSizes, gpt
from netwright.job.train import AdamW, Delays, Sgd, Train
from netwright.machine.load import library_machine
from netwright.path.train import Training, train, training_plan
from netwright.plan.pipeline.pipelined_backprop import delay_of, delays, pipelined_backprop
from netwright.plan.pipeline.schedule import verify
from netwright.run.workers.data import TextData
from netwright.transform.loss import with_cross_entropy
from netwright.transform.optimise import optimiser_step

SIZES = GptSizes(vocabulary=256, width=16, layers=4, heads=2, tokens=16, batch=1, tied=False)
GRAPH = gpt(SIZES)
TEXT = b"To be, or not to be, that is the question: whether 'tis nobler in the mind. " * 9
MACHINE = library_machine("raspberry-pi-5")
SGD = Sgd(0.02, 0.9)
NOTHING = Delays()
BOTH = Delays(spike_compensation=True, weight_prediction=True)


def trained(workers: int, chunks: int, how: Delays = NOTHING) -> Training:
    name = f"pipelined-backprop:{chunks}"
    found = train(GRAPH, MACHINE, Train(2, 9, workers, name, SGD, delays=how), TEXT)
    assert found is not None
    return found


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 3))
def test_the_order_is_valid(workers: int, batches: int, chunks: int) -> None:
    verify(pipelined_backprop(workers, batches, chunks))


def test_gradients_are_late_by_twice_the_chunks_that_follow() -> None:
    plan = training_plan(GRAPH, MACHINE, Train(2, 12, 2, "pipelined-backprop:2", SGD))
    for chunk, late in enumerate(delays(plan.program)):
        full = delay_of(chunk, 4)
        assert late == tuple(min(batch, full) for batch in range(12))


@pytest.mark.parametrize("how", [NOTHING, BOTH])
def test_one_process_emulates_two_to_the_bit(how: Delays) -> None:
    assert trained(1, 4, how).losses == trained(2, 2, how).losses


def test_what_is_done_against_delays_changes_the_result() -> None:
    ways = (Delays(), Delays(spike_compensation=True), Delays(weight_prediction=True), BOTH)
    assert len({trained(1, 4, how).losses for how in ways}) == 4
    one = {trained(1, 1, how).losses for how in ways}
    assert len(one) == 1  # nothing is late


def test_one_chunk_is_sgd_of_torch_on_single_micro_batches() -> None:
    leaves = {
        name: torch.tensor(a, requires_grad=True)
        for name, a in weights_of(with_cross_entropy(GRAPH)).items()
    }
    other = torch.optim.SGD(leaves.values(), SGD.rate, SGD.momentum)
    data = TextData(np.frombuffer(TEXT, np.uint8), 1, SIZES.tokens, 9, 0)
    told: list[float] = []
    for step in range(2):
        losses: list[float] = []
        for batch in range(9):
            other.zero_grad()
            drawn = data.microbatch(step, batch)
            loss = torch_loss(SIZES, leaves, drawn["tokens"], drawn["targets"])
            loss.backward()
            other.step()
            losses.append(loss.item())
        told.append(float(np.mean(losses)))
    assert trained(1, 1).losses == pytest.approx(told, rel=1e-5)


def moved(late: int, at: int, steps: int) -> list[float]:
    """Where a weight is after each step, when its gradient is 1 in step `at` and else 0."""
    builder = Builder("one")
    place = builder.input("w", [("w", 1)], FP32)
    update = optimiser_step([builder.tensors[place]], Sgd(1.0, 0.8), late)
    kept, weight, found = {}, np.zeros(1), []
    for step in range(steps):
        gradient = np.asarray([float(step == at)])
        given_here = {"rate": np.asarray(1.0), "w0": weight, "d_w0": gradient}
        outputs, kept = interpret(update, given_here, {}, kept)
        weight = outputs["new_w0"]
        found.append(float(weight[0]))
    return found


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 9))
def test_a_late_gradient_catches_up_with_one_that_is_not(late: int) -> None:
    """From the step in which it comes on, the weight is where it would have been."""
    steps = late + 5
    assert moved(late, late, steps)[late:] == pytest.approx(moved(0, 0, steps)[late:], rel=1e-6)
    assert moved(0, late, steps)[late] != pytest.approx(moved(0, 0, steps)[late], rel=1e-3)


def test_what_cannot_be_late_says_so() -> None:
    with pytest.raises(JobError, match="spike compensation is of SGD"):
        Train(2, 4, 1, "pipelined-backprop", AdamW(), delays=BOTH)
    for schedule, graph, more, words in (
        ("1f1b", GRAPH, {"delays": BOTH}, "no gradient is late"),
        ("pipelined-backprop:2", GRAPH, {"recompute": True}, "passes done again"),
        ("pipelined-backprop:2", gpt(GptSizes(tokens=8)), {}, "a weight of several chunks"),
    ):
        with pytest.raises(PlanError, match=words):
            training_plan(graph, MACHINE, Train(2, 4, 1, schedule, SGD, **more))
    with pytest.raises(PlanError, match="at least one"):
        pipelined_backprop(2, 4, 0)
