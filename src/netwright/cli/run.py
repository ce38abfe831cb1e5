"""`netwright run`: a network on this machine, predicted and measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from netwright.cli import later
from netwright.cli.inputs import bound_dims, read_inputs
from netwright.cli.limits import limits
from netwright.cli.limits import precision as precision_of
from netwright.cli.screen import outcome_json, print_json, progress, say
from netwright.errors import JobError
from netwright.path.arrays import InferOptions, run_arrays
from netwright.path.describe import describe
from netwright.path.outcome import Outcome

if TYPE_CHECKING:
    from netwright.path.text import TextOptions


def run(
    source: Annotated[
        str, typer.Argument(help="a file (.gguf, .onnx, .py of a circuit), a folder, or a name")
    ],
    prompt: Annotated[str | None, typer.Option(help="text to go on from")] = None,
    input_: Annotated[
        list[str] | None,
        typer.Option(
            "--input", help="photo.jpg, array.npy, audio.wav; or name=file for each; spikes.npz"
        ),
    ] = None,
    tokens: Annotated[int, typer.Option(help="most tokens to generate")] = 64,
    threads: Annotated[int | None, typer.Option(help="most threads to use")] = None,
    memory_limit: Annotated[str | None, typer.Option(help="most memory in all: 80MB")] = None,
    time_limit: Annotated[
        str | None, typer.Option(help="most time of one token or pass: 5ms")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="keep, choose (by default, under a limit), or a format")
    ] = None,
    chat: Annotated[bool, typer.Option(help="use the model's chat template")] = False,
    temperature: Annotated[float, typer.Option(help="0 is greedy")] = 0.0,
    top_k: Annotated[int, typer.Option(help="0 keeps all")] = 0,
    top_p: Annotated[float, typer.Option()] = 1.0,
    min_p: Annotated[float, typer.Option()] = 0.0,
    repetition_penalty: Annotated[float, typer.Option()] = 1.0,
    seed: Annotated[int, typer.Option()] = 0,
    stop: Annotated[list[str] | None, typer.Option(help="stop at this text")] = None,
    dim: Annotated[list[str] | None, typer.Option(help="name=size of a symbolic size")] = None,
    repeats: Annotated[int, typer.Option(help="measured passes")] = 5,
    time: Annotated[str | None, typer.Option(help="of a circuit: run it so long (1s)")] = None,
    dt: Annotated[float | None, typer.Option(help="seconds a step of a .nir network")] = None,
    record: Annotated[
        str, typer.Option(help="of a circuit: spikes (to a .npz) or nothing")
    ] = "nothing",
    save: Annotated[
        Path | None,
        typer.Option("--save", "--out", help="folder to keep the run in, for `netwright report`"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one object")] = False,
) -> None:
    """Run a network here and lay the prediction over the measurement."""
    within = limits(memory_limit, time_limit, threads)
    if source.endswith((".py", ".nir")):
        if len(input_ or []) > 1:
            raise JobError("--input: one .npz holds the spikes of all inputs")
        spikes = Path(input_[0]) if input_ else None
        options = later.CircuitOptions(time, record, within, save, json, spikes, dt)
        later.run_circuit_file(source, options)
        return
    _check(source, prompt, input_ or [])
    if prompt is not None:
        chosen = later.sampling(
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
        )
        options = later.TextOptions(
            tokens,
            threads,
            chosen,
            tuple(stop or ()),
            chat,
            precision_of(precision, within),
            within,
        )
        outcome = _run_text(source, prompt, options, json)
    else:
        wanted = InferOptions(threads, repeats, (), precision_of(precision, within), within)
        outcome = _run_arrays(source, input_ or [], dim or [], wanted)
    if save is not None:
        later.save_run(outcome, save, later.machine("here"))
    if json:
        print_json(outcome_json(outcome))
        return
    if outcome.outputs is not None:
        _show_outputs(outcome.outputs)
    later.show_outcome(outcome)
    if save is not None:
        say(f"kept in {save}; `netwright report {save} --open` shows it")


def _check(source: str, prompt: str | None, inputs: list[str]) -> None:
    """A prompt is for a language model, inputs are for everything else.

    Raises:
        JobError: the other way round.
    """
    if describe(source).is_language_model:
        if prompt is None:
            raise JobError(f'{source}: a language model; give it --prompt "…"')
        if inputs:
            raise JobError(f"{source}: a language model takes --prompt, not --input")
    elif prompt is not None:
        raise JobError(
            f"{source}: not a language model; give --input file (or nothing), no --prompt"
        )


def _run_text(source: str, prompt: str, options: TextOptions, quiet: bool) -> Outcome:
    said = "" if options.chat else prompt  # goes out with the first token: until then it may fail

    def show(text: str) -> None:
        nonlocal said
        if not quiet:
            say(said + text, end="")
            said = ""

    with progress() as on_progress:
        outcome = later.run_text(source, prompt, options, show, on_progress)
    show("\n\n")
    return outcome


def _run_arrays(source: str, inputs: list[str], dim: list[str], options: InferOptions) -> Outcome:
    given, dims = read_inputs(source, inputs, bound_dims(dim))
    if options.repeats < 1:
        raise JobError(f"--repeats: got {options.repeats}, expected at least 1")
    with progress() as on_progress:
        return run_arrays(source, given, replace(options, dims=dims), on_progress)


def _show_outputs(outputs: Mapping[str, Any]) -> None:
    for name, value in outputs.items():
        flat = np.asarray(value).reshape(-1)
        head = ", ".join(f"{x:.4g}" for x in flat[:4])
        best = f"; largest {flat.max():.4g} at {int(flat.argmax())}" if flat.size else ""
        more = ", …" if flat.size > 4 else ""
        say(f"{name} {list(value.shape)}: {head}{more}{best}")
