"""Training in real processes: equal to one process, timed, and ended when a worker fails."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from tests.transform.torch_gpt import torch_loss, weights_of

import netwright as nw
from netwright.errors import JobError, PlanError, RunError, UnsupportedError
from netwright.graph.zoo.gpt import GptSizes, gpt
from netwright.job.train import AdamW, Train
from netwright.machine.load import library_machine
from netwright.path.train import Training, train, train_planned, training_plan
from netwright.plan.pipeline.build import ASYNCHRONOUS, TRAINED
from netwright.plan.pipeline.lower import TRANSFER
from netwright.plan.pipeline.step import SHARED
from netwright.plan.pipeline.train import cuts_of
from netwright.run.workers.data import TextData
from netwright.run.workers.gather import step_timeline
from netwright.run.workers.launch import run_locally
from netwright.run.workers.worker import StepReport, Work
from netwright.timeline.compare import compare
from netwright.timeline.verify import verify_timeline
from netwright.transform.loss import with_cross_entropy

SIZES = GptSizes(vocabulary=256, width=16, layers=4, heads=2, tokens=16, batch=2, tied=False)
GRAPH = gpt(SIZES)
TEXT = b"To be, or not to be, that is the question: whether 'tis nobler in the mind. " * 9
MACHINE = library_machine("raspberry-pi-5")
DELAY_SECONDS = 0.02
SYNCHRONOUS = [name for name in TRAINED if name not in ASYNCHRONOUS]


def trained(job: Train, launch=run_locally) -> Training:
    found = train(GRAPH, MACHINE, job, TEXT, launch=launch)
    assert found is not None
    return found


@cache
def alone() -> Training:
    return trained(Train(steps=3, microbatches=4, schedule="gpipe"))


@cache
def two() -> Training:
    return trained(Train(3, 4, 2, "zb-h1", link_delay_seconds=DELAY_SECONDS))


def test_the_loss_is_that_of_one_process() -> None:
    assert two().losses == alone().losses
    assert alone().losses[2] < alone().losses[0]


def losses_of_torch(sizes: GptSizes, graph: nw.Graph, job: Train) -> list[float]:
    """Autograd and AdamW of torch in float64, on the same sequences."""
    w = weights_of(with_cross_entropy(graph))
    leaves = {name: torch.tensor(a, requires_grad=True) for name, a in w.items()}
    kind = job.optimiser
    assert isinstance(kind, AdamW)
    other = torch.optim.AdamW(
        leaves.values(), kind.rate, (kind.beta1, kind.beta2), kind.epsilon, kind.weight_decay
    )
    data = TextData(np.frombuffer(TEXT, np.uint8), sizes.batch, sizes.tokens, 4, job.seed)
    told: list[float] = []
    for step in range(job.steps):
        other.zero_grad()
        found = [data.microbatch(step, m) for m in range(4)]
        losses = [torch_loss(sizes, leaves, d["tokens"], d["targets"]) for d in found]
        loss = torch.stack(losses).mean()
        loss.backward()
        other.step()
        told.append(loss.item())
    return told


def test_one_process_trains_as_torch_does() -> None:
    job = Train(steps=3, microbatches=4, schedule="gpipe")
    assert losses_of_torch(SIZES, GRAPH, job) == pytest.approx(alone().losses, rel=1e-6)


def folded(works: Sequence[Work], steps: int, told) -> bool:
    """All workers as one, in an order that their program allows: nothing is sent."""
    program = works[0].program
    tasks = tuple(
        replace(task, worker=0, waits=())
        for task in program.entries[0].tasks
        if task.opcode != TRANSFER
    )
    one = replace(program, entries=(replace(program.entries[0], tasks=tasks),))
    chunks = tuple(chunk for work in works for chunk in work.chunks)
    return run_locally((replace(works[0], chunks=chunks, program=one),), steps, told)


@pytest.mark.parametrize("schedule", SYNCHRONOUS)
def test_the_order_of_passes_changes_no_bit(schedule: str) -> None:
    found = trained(Train(3, 4, 4, schedule), folded)
    assert found.losses == alone().losses


TIED = gpt(replace(SIZES, tied=True))


def tied(job: Train, launch=run_locally) -> Training:
    found = train(TIED, MACHINE, job, TEXT, launch=launch)
    assert found is not None
    return found


@cache
def tied_alone() -> Training:
    return tied(Train(steps=3, microbatches=4, schedule="gpipe"))


@pytest.mark.parametrize("schedule", SYNCHRONOUS)
def test_a_weight_of_two_chunks_is_trained_as_one(schedule: str) -> None:
    """The embedding is the output matrix: its holders sum their gradients before the step."""
    assert tied(Train(3, 4, 4, schedule), folded).losses == tied_alone().losses
    assert tied_alone().losses[2] != alone().losses[2]


@pytest.mark.parametrize(("workers", "schedule"), [(2, "zb-h1"), (3, "1f1b"), (2, "v-zb")])
def test_holders_in_other_processes_send_their_sums(workers: int, schedule: str) -> None:
    found = tied(Train(3, 4, workers, schedule))
    assert found.losses == tied_alone().losses
    tasks = found.plan.program.entries[0].tasks
    sent = [t for t in tasks if t.opcode == TRANSFER and t.parameters[0] == SHARED]
    assert len(sent) == (0 if schedule == "v-zb" else 2)  # a V has both ends on one worker
    for task in sent:
        (waits,) = task.waits
        assert all(t.worker != tasks[waits].worker or t.opcode != "stage_weight_gradient"
                   for t in tasks[waits + 1 :])  # fmt: skip
    predicted = found.predict(found.costs((1, 2)))
    assert compare(predicted, found.typical()).operators
    verify_timeline(predicted)


def test_one_process_trains_a_tied_weight_as_torch_does() -> None:
    job = Train(steps=3, microbatches=4, schedule="gpipe")
    assert losses_of_torch(replace(SIZES, tied=True), TIED, job) == pytest.approx(
        tied_alone().losses, rel=1e-6
    )


def test_memory_is_planned_to_the_byte() -> None:
    assert alone().typical().peak_memory_bytes == alone().plan.peak_memory_bytes


@pytest.mark.parametrize("schedule", ["gpipe", "zb-h1", "v-half"])
def test_passes_done_again_change_no_bit_and_hold_less(schedule: str) -> None:
    found = trained(Train(3, 4, 1, schedule, recompute=True))
    assert found.losses == alone().losses


def test_memory_with_passes_done_again_is_planned_and_less() -> None:
    plain, again = (
        trained(Train(2, 8, 2, "gpipe", recompute=recompute)) for recompute in (False, True)
    )
    held, less = (one.typical().peak_memory_bytes for one in (plain, again))
    assert less < held / 2
    assert again.plan.peak_memory_bytes < plain.plan.peak_memory_bytes / 2
    assert less <= again.plan.peak_memory_bytes <= 1.3 * less


def test_the_step_is_timed_on_one_clock() -> None:
    found = two()
    program = found.plan.program
    for step in found.steps:
        verify_timeline(step)
        spans = {(s.name, s.opcode): s for s in step.spans}
        assert len(spans) == len(program.entries[0].tasks)
        for task in program.entries[0].tasks:
            span = spans[task.source, task.opcode]
            assert span.resource == program.workers[task.worker]
            if task.opcode == TRANSFER:
                assert span.seconds >= DELAY_SECONDS
            for wait in task.waits:  # nothing begins before what it waits for is there
                before = program.entries[0].tasks[wait]
                ended = spans[before.source, before.opcode]
                assert span.start_seconds >= ended.start_seconds
                if before.opcode == TRANSFER:
                    assert span.start_seconds >= ended.start_seconds + DELAY_SECONDS
        assert step.peak_memory_bytes == found.plan.peak_memory_bytes


def test_a_prediction_lies_over_the_measurement() -> None:
    found = two()
    predicted = found.predict(found.costs((1, 2)))
    verify_timeline(predicted)
    table = compare(predicted, found.typical())
    assert all(r.predicted_spans == r.measured_spans for r in table.operators)
    assert predicted.peak_memory_bytes == table.measured_peak_bytes
    longest = max(s.start_seconds + s.seconds for s in predicted.spans)
    assert longest == pytest.approx(predicted.seconds)
    assert predicted.seconds >= 2 * DELAY_SECONDS  # there and back, once at least
    with pytest.raises(RunError, match="no step was measured"):
        found.costs((7,))


@pytest.mark.parametrize(
    ("how", "patience_seconds", "message"),
    [
        (signal.SIGKILL, 60.0, "worker 1: its process ended with code -9"),
        (signal.SIGSTOP, 8.0, "worker 1"),  # alive, but never heard of again
    ],
)
def test_a_worker_that_is_gone_ends_the_run(
    how: signal.Signals, patience_seconds: float, message: str
) -> None:
    began: list[float] = []

    def launch(works: Sequence[Work], steps: int, told) -> bool:
        def heard(report: StepReport) -> None:
            victims = [p for p in multiprocessing.active_children() if p.name.endswith("worker 1")]
            if not began and victims:
                began.append(time.monotonic())
                assert victims[0].pid is not None
                os.kill(victims[0].pid, how)
            told(report)

        return run_locally(works, steps, heard, patience_seconds)

    with pytest.raises(RunError, match=message):
        trained(Train(10_000, 4, 2, "1f1b"), launch)
    assert began
    assert not multiprocessing.active_children()


def test_a_worker_that_fails_names_the_cause() -> None:
    def launch(works: Sequence[Work], steps: int, told) -> bool:
        return run_locally((works[0], replace(works[1], chunks=())), steps, told, 60.0)

    with pytest.raises(RunError, match="worker 1: RunError: worker 1: it has no chunk 1 for chunk"):
        trained(Train(2, 2, 2, "1f1b"), launch)
    assert not multiprocessing.active_children()


def test_a_plan_says_what_was_decided_and_how_to_run_it() -> None:
    plan = nw.plan(GRAPH, MACHINE, Train(workers=2, schedule="zb-h1"))
    assert "chunks: 2: 4" in plan.explain() or "chunks: 2: 5" in plan.explain()
    assert "schedule: zb-h1 [as asked]" in plan.explain()
    with pytest.raises(
        UnsupportedError, match=r"`nw\.train\(network, machine, job, text\)` runs it"
    ):
        plan.lower().run({})


@pytest.mark.parametrize("schedule", ["1f1b", "zb-auto", "v-half"])
def test_a_step_is_predicted_before_it_runs(schedule: str) -> None:
    plan = nw.plan(GRAPH, MACHINE, Train(workers=2, schedule=schedule, link_delay_seconds=0.5))
    predicted = plan.prediction("train")
    played = plan.program.simulate()
    verify_timeline(played)
    assert played.seconds == predicted.seconds
    assert predicted.low_seconds <= predicted.seconds <= predicted.high_seconds
    assert predicted.certificate.bound is not None
    assert predicted.certificate.bound <= predicted.seconds
    assert predicted.seconds >= 2 * 0.5  # the delay of a message there and of one back


def test_here_the_prediction_is_that_of_torch_itself() -> None:
    """Whatever it takes, it is what the operators take one by one, and no more is decided by it."""
    here = replace(MACHINE, name="here")
    job = Train(steps=2, microbatches=2, workers=2, schedule="zb-h1")
    timed, modelled = training_plan(GRAPH, here, job), nw.plan(GRAPH, here, job)
    assert cuts_of(timed) == cuts_of(modelled)
    assert timed.prediction("train").certificate.method.startswith("torch's operators timed")
    assert timed.program.entries == modelled.program.entries
    with pytest.raises(JobError, match="the plan is for Infer, expected Train"):
        train_planned(replace(timed, job=nw.Infer()), TEXT)


def test_what_cannot_be_trained_says_so() -> None:
    with pytest.raises(PlanError, match="no pipeline schedule 'zigzag'; there are gpipe"):
        trained(Train(schedule="zigzag"))
    with pytest.raises(PlanError, match=r"it can be cut into .* chunks at most, 500 are"):
        trained(Train(workers=500))
    with pytest.raises(JobError, match="text of 3 bytes, expected more than 16"):
        train(GRAPH, MACHINE, Train(), b"abc")
    with pytest.raises(RunError, match="0 reports of 0 steps"):
        step_timeline("none", ())
