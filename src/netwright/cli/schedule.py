"""`netwright schedule`: pipeline schedules, drawn, compared and certified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from netwright.cli.inputs import bound_dims
from netwright.cli.schedule_picture import draw, key
from netwright.cli.screen import print_json, progress, remark
from netwright.cli.stage_times import (
    columns_of,
    file_times,
    given_times,
    memory_limit,
    message_bytes,
    stages_table,
)
from netwright.cli.tables import console
from netwright.errors import JobError
from netwright.machine.load import machine as machine_of
from netwright.path.schedules import Comparison, Scheduled, Wish, compare_schedules
from netwright.path.staged import Staged, staged, training_network
from netwright.plan.pipeline.build import BUILDERS, split_name
from netwright.plan.pipeline.times import StageTimes, over_machine
from netwright.plan.quantity import quantity
from netwright.report.perfetto import write_trace
from netwright.report.schedule_page import save_schedules

NAMES = ", ".join(BUILDERS)


def schedule(
    model: Annotated[
        str | None,
        typer.Argument(help="a network whose passes --machine prices: a recipe (.py), .onnx, ..."),
    ] = None,
    stages: Annotated[int | None, typer.Option(help="workers, one stage each")] = None,
    microbatches: Annotated[int, typer.Option(help="micro-batches of one step")] = 8,
    memory: Annotated[
        str, typer.Option(help="1.0x: times what 1F1B holds; or activations of one micro-batch")
    ] = "1.0x",
    times: Annotated[
        str, typer.Option(help="T_F,T_B,T_W,T_comm of every stage: seconds, or with ms, us")
    ] = "1,1,1,0",
    stage_times: Annotated[
        Path | None, typer.Option(help="YAML or JSON: T_F, T_B, T_W, T_comm, a number a stage")
    ] = None,
    machine: Annotated[
        str | None, typer.Option(help="price MODEL on it; without one: T_comm from its links")
    ] = None,
    dim: Annotated[list[str] | None, typer.Option(help="name=size of a size of MODEL")] = None,
    message: Annotated[
        str, typer.Option(help="bytes of a message between stages, for --machine: 12MB")
    ] = "12MB",
    kept: Annotated[
        float, typer.Option(help="share of an activation still held between B and W")
    ] = 0.5,
    name: Annotated[str, typer.Option("--schedule", help=f"one of {NAMES}")] = "zb-auto",
    compare: Annotated[str | None, typer.Option(help="all, or names with commas")] = None,
    prove: Annotated[
        float, typer.Option(help="seconds for CP-SAT where no other bound proves a small one")
    ] = 0.0,
    html: Annotated[Path | None, typer.Option(help="write one page, complete in itself")] = None,
    trace: Annotated[Path | None, typer.Option(help="write a Perfetto trace")] = None,
    json: Annotated[bool, typer.Option("--json", help="print one object")] = False,
) -> None:
    """Schedule a pipeline: every worker's passes, the bubbles, the memory and a proved bound.

    A schedule's makespan is the longest time of one worker from its first pass to its last.
    """
    cut: Staged | None = None
    if model is not None:
        cut = _staged(model, machine, 8 if stages is None else stages, dim or [])
        given = cut.times
    else:
        given = _times(stages, times, stage_times, kept)
        if machine is not None:
            given = over_machine(given, machine_of(machine), message_bytes(message))
    wish = Wish(given, microbatches, memory_limit(memory, given.num_workers), prove)
    with progress() as on_progress:
        compared = compare_schedules(_names(name, compare), wish, on_progress)
    if html is not None:
        save_schedules(html, compared.found, wish)
    if trace is not None:
        write_trace(trace, tuple(one.replay.timeline for one in compared.found))
    if json:
        print_json(
            {
                "stages": given.num_workers,
                "microbatches": microbatches,
                "memory_limit": wish.limit,
                "stage_times": columns_of(given),
                **({} if cut is None else cut.as_dict()),
                "schedules": [one.as_dict() for one in compared.found],
                "left_out": dict(compared.left_out),
            }
        )
        return
    if cut is not None:
        console.print(stages_table(cut))
    _show(compared, wish)
    for word, path in (("page", html), ("trace", trace)):
        if path is not None:
            console.print(f"{word}: {path}", markup=False, soft_wrap=True)


def _staged(model: str, machine: str | None, stages: int, dims: list[str]) -> Staged:
    if machine is None:
        raise JobError(f"{model}: --machine says where its passes run; or give --times without it")
    return staged(training_network(model, dict(bound_dims(dims))), machine_of(machine), stages)


def _times(stages: int | None, times: str, file: Path | None, kept: float) -> StageTimes:
    if file is None:
        return given_times(times, 8 if stages is None else stages, kept)
    found = file_times(file, kept)
    if stages is not None and stages != found.num_workers:
        raise JobError(f"{file}: times of {found.num_workers} stages, and --stages is {stages}")
    return found


def _names(name: str, compare: str | None) -> list[str]:
    if compare == "all":
        return list(BUILDERS)
    names = [name] if compare is None else [n.strip() for n in compare.split(",")]
    for one in names:
        if one.partition(":")[0] not in BUILDERS:
            raise JobError(f"no schedule {one!r}; there are {NAMES}")
        split_name(one)
    return names


def _show(compared: Comparison, wish: Wish) -> None:
    for one in compared.found:
        console.print(_title(one), markup=False)
        for line in draw(one, console.width - 5):
            console.print(line, no_wrap=True, crop=True)
        console.print()
    console.print(key())
    table = Table(title_justify="left")
    table.add_column("schedule")
    for column in ("makespan", "bubble", "memory", "bound", ""):
        table.add_column(column, justify="right" if column else "left")
    for one in compared.found:
        bound = one.certificate.bound
        table.add_row(
            one.name,
            quantity(one.replay.span_seconds, "seconds"),
            f"{100 * one.replay.bubble_rate:.2f} %",
            f"{one.replay.peak:.3g}" + ("" if one.fits else " (over)"),
            "none" if bound is None else quantity(bound, "seconds"),
            f"{one.certificate.text} ({one.certificate.method})",
        )
    console.print(table)
    console.print(
        f"memory: activations of one micro-batch, at most {wish.limit:g} wanted; bounds hold for"
        " every schedule on the same placement within that memory"
    )
    for name, reason in compared.left_out:
        remark(f"{name} is left out: {reason}")


def _title(one: Scheduled) -> str:
    return (
        f"{one.name}: {quantity(one.replay.span_seconds, 'seconds')}, bubbles"
        f" {100 * one.replay.bubble_rate:.2f} %, {one.certificate.text}"
    )
