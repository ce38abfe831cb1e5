"""`netwright train`: a network on a text, over worker processes, predicted and measured."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netwright.cli import later
from netwright.cli.screen import print_json, progress, say
from netwright.errors import JobError, UnsupportedError
from netwright.job.train import AdamW, Train
from netwright.path.recipe import load_recipe
from netwright.plan.pipeline.build import TRAINED
from netwright.plan.pipeline.lower import ENTRY
from netwright.report.perfetto import write_trace

if TYPE_CHECKING:
    from netwright.path.train import Launch, Training
    from netwright.plan.plan import Plan
    from netwright.timeline.timeline import Timeline


NAMES = ", ".join(TRAINED)


def train(
    recipe: Annotated[Path, typer.Argument(help="a Python file that sets `network` and `text`")],
    workers: Annotated[int, typer.Option(help="worker processes")] = 1,
    schedule: Annotated[str, typer.Option(help=f"one of {NAMES}")] = "1f1b",
    steps: Annotated[int, typer.Option(help="optimiser steps")] = 50,
    microbatches: Annotated[int, typer.Option(help="micro-batches a step")] = 8,
    rate: Annotated[float, typer.Option(help="learning rate (AdamW)")] = 1e-3,
    text: Annotated[Path | None, typer.Option(help="a text in place of the recipe's")] = None,
    seed: Annotated[int, typer.Option(help="which sequences of the text, in which order")] = 0,
    link_delay: Annotated[float, typer.Option(help="seconds added to every message")] = 0.0,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="keep inputs only, do forward passes again")
    ] = False,
    on: Annotated[str, typer.Option(help="who starts the workers: here or ray")] = "here",
    report: Annotated[Path | None, typer.Option(help="write a page of the step here")] = None,
    trace: Annotated[Path | None, typer.Option(help="write a Perfetto trace of the step")] = None,
    json: Annotated[bool, typer.Option("--json", help="print one object")] = False,
) -> None:
    """Train a network on a text in worker processes; lay the predicted step over the measured."""
    if find_spec("torch") is None:
        raise UnsupportedError("train: needs PyTorch; run: pip install 'netwright[torch]'")
    if steps < 2:
        raise JobError(f"--steps: got {steps}, expected at least 2 (the first one warms up)")
    job = Train(steps, microbatches, workers, schedule, AdamW(rate), seed, link_delay, recompute)
    found = load_recipe(recipe, text)
    with progress() as told:

        def heard(step: int, loss: float) -> None:
            told(f"step {step + 1}: loss {loss:.4f}", (step + 1) / steps)

        plan = later.training_plan(found.network, later.machine("here"), job)
        if not json and not later.is_under_torchrun():
            say(_expected(plan))
        training = later.train_planned(plan, found.text, heard, _launcher(on))
    if training is None:
        return  # a worker of torchrun's: rank 0 shows what there is to show
    predicted, measured = halves(training)
    if report is not None:
        later.make_report(predicted, measured).save(report)
    if trace is not None:
        write_trace(trace, (predicted, measured))
    if json:
        print_json(as_object(training, predicted, measured))
    else:
        _show(training, predicted, measured)
        for written in (report, trace):
            if written is not None:
                say(f"{written}")


def _expected(plan: Plan) -> str:
    found = plan.prediction(ENTRY)
    return (
        f"a step will take {found.seconds * 1e3:.1f} ms, {found.low_seconds * 1e3:.1f} to"
        f" {found.high_seconds * 1e3:.1f} ({found.certificate.method})"
    )


def _launcher(on: str) -> Launch:
    if on not in ("here", "ray"):
        raise JobError(f"--on {on!r}: expected here or ray")
    if later.is_under_torchrun():
        return later.run_under_torchrun
    return later.run_on_ray if on == "ray" else later.run_locally


def halves(training: Training) -> tuple[Timeline, Timeline]:
    """The step predicted from the costs of the first half, and a typical one of the second."""
    middle = max(2, len(training.steps) // 2)
    return training.predict(training.costs(range(1, middle))), training.typical()


def as_object(training: Training, predicted: Timeline, measured: Timeline) -> dict[str, Any]:
    """The object of `train --json`."""
    job = training.plan.job
    assert isinstance(job, Train)
    before = training.plan.prediction(ENTRY)
    return {
        "network": training.plan.graph.name,
        "workers": job.workers,
        "processors": training.processors,
        "schedule": job.schedule,
        "microbatches": job.microbatches,
        "link_delay_seconds": job.link_delay_seconds,
        "losses": list(training.losses),
        "step_seconds": list(training.step_seconds),
        "predicted_before": {
            "step_seconds": before.seconds,
            "low_seconds": before.low_seconds,
            "high_seconds": before.high_seconds,
            "bound_seconds": before.certificate.bound,
            "method": before.certificate.method,
        },
        "predicted": {
            "step_seconds": predicted.seconds,
            "peak_memory_bytes": training.plan.peak_memory_bytes,
        },
        "measured": {
            "step_seconds": measured.seconds,
            "peak_memory_bytes": measured.peak_memory_bytes,
        },
        "plan": {"explanation": training.plan.explain()},
    }


def _show(training: Training, predicted: Timeline, measured: Timeline) -> None:
    job = training.plan.job
    assert isinstance(job, Train)
    say(training.plan.explain())
    first, last = training.losses[0], training.losses[-1]
    say(f"loss {first:.4f} at step 1, {last:.4f} at step {len(training.losses)}")
    before = training.plan.prediction(ENTRY).seconds
    say(
        f"step, predicted before the run: {before * 1e3:.1f} ms; measured: "
        f"{measured.seconds * 1e3:.1f} ms (ratio {before / measured.seconds:.2f})"
    )
    ratio = predicted.seconds / measured.seconds
    say(
        f"step, predicted from the first half: {predicted.seconds * 1e3:.1f} ms; measured in the"
        f" second: {measured.seconds * 1e3:.1f} ms (ratio {ratio:.2f}; {job.workers} worker"
        f"{'s' if job.workers > 1 else ''}, {training.processors} processors)"
    )
    say(
        f"activations kept, most of any worker: planned {training.plan.peak_memory_bytes / 1e6:.2f}"
        f" MB, measured {measured.peak_memory_bytes / 1e6:.2f} MB"
    )
