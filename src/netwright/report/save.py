"""Save: a finished run → a folder of three JSON files, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from netwright.errors import ReportError
from netwright.machine.machine import Machine
from netwright.report.document import (
    as_count,
    as_list,
    as_number,
    as_object,
    as_text,
    optional,
    read_json,
    wrong,
)
from netwright.report.raster import Raster, raster_from_json, raster_json
from netwright.report.roof import Roof, roof_of
from netwright.report.run_record import Figure, Finished, Output, Run, run_of
from netwright.report.timeline_file import timeline_from_json, timeline_json

VERSION = 1
RUN, PREDICTED, MEASURED = "run.json", "predicted.json", "measured.json"


def save_run(
    outcome: Finished,
    folder: Path,
    machine: Machine | None = None,
    rasters: tuple[Raster, ...] = (),
) -> Run:
    """Keeps a finished run: `run.json`, `predicted.json` and `measured.json` in a folder.

    With the machine, reports of it show its roofline.

    Raises:
        ReportError: the folder or a file in it cannot be written.
    """
    run = run_of(outcome, None if machine is None else roof_of(machine), rasters)
    write_run(run, folder)
    return run


def write_run(run: Run, folder: Path) -> None:
    """Writes a record; `load_run` gives an equal one back. The folder is made if need be.

    Raises:
        ReportError: the folder or a file in it cannot be written, or a number is not finite.
    """
    documents = (
        (RUN, run_json(run)),
        (PREDICTED, timeline_json(run.predicted)),
        (MEASURED, timeline_json(run.measured)),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in documents:
            text = json.dumps(document, allow_nan=False, separators=(",", ":"))
            (folder / name).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{folder}: cannot be written ({error.strerror})") from error
    except ValueError as error:
        raise ReportError(f"{folder}: a figure of the run is not a number ({error})") from error


def load_run(folder: Path) -> Run:
    """The record that a folder keeps, every field checked.

    Raises:
        FormatError: a file is missing, too large, malformed or breaks a law of timelines.
    """
    return _run(
        f"{folder / RUN}",
        read_json(folder / RUN),
        *(
            timeline_from_json(f"{folder / name}", read_json(folder / name))
            for name in (PREDICTED, MEASURED)
        ),
    )


def run_json(run: Run) -> dict[str, Any]:
    """The object of `run.json`: everything but the timelines."""
    roof = run.roof
    return {
        "version": VERSION,
        "network": run.network,
        "machine": run.machine,
        "figures": [[f.name, f.predicted, f.measured] for f in run.figures],
        "plan": run.plan,
        "text": run.text,
        "outputs": [
            [o.name, list(o.shape), o.dtype, o.low, o.high, o.mean, o.not_finite]
            for o in run.outputs
        ],
        "roof": None
        if roof is None
        else {
            "machine": roof.machine,
            "unit": roof.unit,
            "operations_per_second": [list(rate) for rate in roof.operations_per_second],
            "memory": roof.memory,
            "read_bytes_per_second": roof.read_bytes_per_second,
        },
        "rasters": [raster_json(r) for r in run.rasters],
    }


def _run(where: str, value: object, *timelines: Any) -> Run:
    o = as_object(where, value)
    if o.get("version") != VERSION:
        raise wrong(f"{where}: version", o.get("version"), f"{VERSION}")
    predicted, measured = timelines
    for file, timeline, origin in (
        (PREDICTED, predicted, "simulated"),
        (MEASURED, measured, "measured"),
    ):
        if timeline.origin != origin:
            raise wrong(f"{where}: {file}: origin", timeline.origin, origin)
    figures = as_list(f"{where}: figures", o.get("figures"))
    outputs = as_list(f"{where}: outputs", o.get("outputs"))
    return Run(
        as_text(f"{where}: network", o.get("network")),
        as_text(f"{where}: machine", o.get("machine")),
        tuple(_figure(f"{where}: figures[{i}]", row) for i, row in enumerate(figures)),
        as_object(f"{where}: plan", o.get("plan")),
        predicted,
        measured,
        optional(as_text, f"{where}: text", o.get("text")),
        tuple(_output(f"{where}: outputs[{i}]", row) for i, row in enumerate(outputs)),
        optional(_roof, f"{where}: roof", o.get("roof")),
        tuple(
            raster_from_json(f"{where}: rasters[{i}]", row)
            for i, row in enumerate(as_list(f"{where}: rasters", o.get("rasters", [])))
        ),
    )


def _figure(where: str, value: object) -> Figure:
    row = as_list(where, value)
    if len(row) != 3:
        raise wrong(where, row, "name, predicted, measured")
    return Figure(
        as_text(where, row[0]),
        optional(as_number, where, row[1]),
        optional(as_number, where, row[2]),
    )


def _output(where: str, value: object) -> Output:
    row = as_list(where, value)
    if len(row) != 7:
        raise wrong(where, row, "name, shape, dtype, low, high, mean, not_finite")
    low, high, mean = (optional(as_number, where, v) for v in row[3:6])
    shape = tuple(as_count(where, extent) for extent in as_list(where, row[1]))
    return Output(
        as_text(where, row[0]), shape, as_text(where, row[2]), low, high, mean,
        as_count(where, row[6]),
    )  # fmt: skip


def _roof(where: str, value: object) -> Roof:
    o = as_object(where, value)
    rates: list[tuple[str, float]] = []
    for row in as_list(where, o.get("operations_per_second")):
        pair = as_list(where, row)
        if len(pair) != 2:
            raise wrong(where, pair, "an arithmetic class and its rate")
        rates.append((as_text(where, pair[0]), as_number(where, pair[1])))
    return Roof(
        as_text(where, o.get("machine")),
        as_text(where, o.get("unit")),
        tuple(rates),
        as_text(where, o.get("memory")),
        optional(as_number, where, o.get("read_bytes_per_second")),
    )
