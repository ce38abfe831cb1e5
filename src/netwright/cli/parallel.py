"""`netwright parallel`: how to lay the training of a transformer over a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netwright.cli.screen import print_json, progress
from netwright.cli.tables import console
from netwright.cost.transformer import Transformer
from netwright.errors import JobError
from netwright.machine.load import machine as machine_of
from netwright.path.parallel import parallel as find
from netwright.plan.parallel.layout import Recompute, Space
from netwright.report.perfetto import write_trace

RECOMPUTES = ", ".join(one.value for one in Recompute)
WISHES = {"no": (False,), "yes": (True,), "any": (False, True)}


def parallel(
    hidden: Annotated[int, typer.Option(help="width of the network")],
    layers: Annotated[int, typer.Option(help="its layers")],
    heads: Annotated[int, typer.Option(help="its attention heads")],
    devices: Annotated[int, typer.Option(help="devices of the machine to use")],
    batch: Annotated[int, typer.Option(help="sequences of one step")],
    machine: Annotated[str, typer.Option(help="a cluster, a node or a YAML file")] = "selene",
    sequence: Annotated[int, typer.Option(help="tokens of a sequence")] = 2048,
    vocabulary: Annotated[int, typer.Option(help="words, padded")] = 51200,
    layout: Annotated[
        str | None, typer.Option(help="t,p,d where they are given: only the rest is searched")
    ] = None,
    microbatch: Annotated[str, typer.Option(help="sizes to try, with commas")] = "1,2,4,8,16",
    recompute: Annotated[str, typer.Option(help=f"any, or of {RECOMPUTES}, with commas")] = "full",
    sequence_parallel: Annotated[str, typer.Option(help="no, yes or any")] = "no",
    sharded_optimiser: Annotated[str, typer.Option(help="no, yes or any")] = "no",
    show: Annotated[int, typer.Option(help="layouts to play and to show")] = 8,
    trace: Annotated[Path | None, typer.Option(help="write a Perfetto trace of the best")] = None,
    json: Annotated[bool, typer.Option("--json", help="print one object")] = False,
) -> None:
    """Lay training over a cluster: tensor x pipeline x data, micro-batch, interleaved chunks.

    The best layout that fits the memory, proved best among those that divide network and batch.
    """
    network = Transformer(hidden, layers, heads, sequence, vocabulary)
    space = Space(
        devices,
        batch,
        _recomputes(recompute),
        _wish("--sequence-parallel", sequence_parallel),
        _wish("--sharded-optimiser", sharded_optimiser),
        _numbers("--microbatch", microbatch),
        fixed=_layout(layout, devices),
    )
    with progress() as on_progress:
        found = find(network, machine_of(machine), space, on_progress, show)
    program = found.program() if trace is not None else None
    if trace is not None and program is not None:
        write_trace(trace, (program.simulate(),))
    if json:
        print_json(found.as_dict())
        return
    console.print(found.explain(show), markup=False, soft_wrap=True)
    if trace is not None and program is not None:
        console.print(f"trace: {trace}", markup=False, soft_wrap=True)


def _recomputes(text: str) -> tuple[Recompute, ...]:
    if text == "any":
        return tuple(Recompute)
    known = {one.value: one for one in Recompute}
    names = [name.strip() for name in text.split(",")]
    if not set(names) <= set(known):
        raise JobError(f"--recompute {text!r}: expected any, or of {RECOMPUTES}, with commas")
    return tuple(known[name] for name in names)


def _wish(option: str, text: str) -> tuple[bool, ...]:
    if text not in WISHES:
        raise JobError(f"{option} {text!r}: expected {', '.join(WISHES)}")
    return WISHES[text]


def _numbers(option: str, text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise JobError(f"{option} {text!r}: expected whole numbers from 1 up, with commas")
    return tuple(int(part) for part in parts)


def _layout(text: str | None, devices: int) -> tuple[int, int, int] | None:
    if text is None:
        return None
    numbers = _numbers("--layout", text)
    if len(numbers) != 3 or numbers[0] * numbers[1] * numbers[2] != devices:
        raise JobError(f"--layout {text!r}: expected t,p,d whose product is {devices} devices")
    return numbers[0], numbers[1], numbers[2]
