"""HTML: a run → one self-contained page, nothing fetched, every word escaped."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

from netwright.report.lanes import MOST_LANES, lanes_picture, legend
from netwright.report.memory_picture import memory_picture
from netwright.report.quantities import (
    UNKNOWN,
    bytes_text,
    figure_text,
    label_of,
    ratio_text,
    scaled,
    seconds_text,
    verdict,
)
from netwright.report.raster import raster_picture, raster_title
from netwright.report.roofline_picture import roofline_picture
from netwright.report.run_record import Json, Output, Run
from netwright.report.summary import Row, Summary, summary_of

MOST_ROWS = 2000


def html_page(run: Run) -> str:
    """The page. Its pictures are inline SVG, its script sorts and filters one table."""
    return _template().render(_page(summary_of(run)))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    text = files("netwright.report").joinpath("template.html.j2").read_text("utf-8")
    return environment.from_string(text)


def _page(summary: Summary) -> dict[str, Any]:
    run = summary.run
    shown, rest = summary.operators[:MOST_ROWS], summary.operators[MOST_ROWS:]
    return {
        "network": run.network,
        "machine": run.machine if run.roof is None else run.roof.machine,
        "shown": "measured, with what was predicted"
        if run.is_measured
        else "predicted; nothing was measured",
        "figures": [
            {
                "label": label_of(f.name),
                "predicted": figure_text(f.name, f.predicted),
                "measured": figure_text(f.name, f.measured),
                "is_measured": f.measured is not None,
                "ratio": ratio_text(f.ratio),
                "verdict": verdict(f.ratio),
            }
            for f in run.figures
            if f.predicted is not None or f.measured is not None
        ],
        "promise": _promise(run.plan),
        "explanation": _text(run.plan.get("explanation")),
        "text": run.text,
        "outputs": [_output(o) for o in run.outputs],
        "lanes": lanes_picture(summary),
        "legend": legend(summary),
        "lanes_note": _lanes_note(summary),
        "roofline": roofline_picture(summary),
        "memory": memory_picture(run),
        "rasters": [(raster_title(r), raster_picture(r)) for r in run.rasters],
        "rows": [_row(row) for row in shown],
        "num_left_out": len(rest),
        "left_out": seconds_text(sum(r.measured_seconds for r in rest)),
        "num_spans": f"{len(summary.predicted.spans)} predicted, {len(summary.measured.spans)}",
        "is_measured": run.is_measured,
    }


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Json) -> float | None:
    return value if isinstance(value, float | int) and not isinstance(value, bool) else None


def _promise(plan: dict[str, Json]) -> list[tuple[str, str]]:
    """Bound, certificates and gap, of those that the plan gave."""
    said: list[tuple[str, str]] = []
    bound = _number(plan.get("bound_seconds"))
    if bound is not None:
        said.append(("no plan can take less than", seconds_text(bound)))
    gap = _number(plan.get("gap"))
    if gap is not None:
        said.append(("the plan's prediction is above that bound by", f"{100 * gap:.1f} %"))
    for name, key in (("time", "certificate"), ("memory", "memory")):
        words = _text(plan.get(key))
        if words:
            said.append((f"certificate of {name}", words))
    return said


def _lanes_note(summary: Summary) -> str:
    note = "Neighbouring tasks shorter than a pixel are drawn as one."
    if summary.windowed:
        took = seconds_text(summary.run.predicted.seconds)
        note = (
            "The measurement traces one call, so the prediction is shown for its last such call"
            f" (the whole prediction takes {took}). {note}"
        )
    for timeline in (summary.predicted, summary.measured):
        if len({s.resource for s in timeline.spans}) > MOST_LANES:
            return f"{note} Of more than {MOST_LANES} resources the first are drawn."
    return note


def _row(row: Row) -> dict[str, Any]:
    ratio = row.ratio
    return {
        "name": row.name or UNKNOWN,
        "opcode": row.opcode,
        "predicted": (row.predicted_seconds, seconds_text(row.predicted_seconds or None)),
        "measured": (row.measured_seconds, seconds_text(row.measured_seconds or None)),
        "ratio": (-1.0 if ratio is None else ratio, ratio_text(ratio)),
        "verdict": verdict(ratio),
        "bytes": (row.bytes_moved, bytes_text(row.bytes_moved)),
        "operations": (row.operations, scaled(row.operations)),
    }


def _output(output: Output) -> dict[str, str]:
    def number(value: float | None) -> str:
        return UNKNOWN if value is None else f"{value:.4g}"

    return {
        "name": output.name,
        "shape": " × ".join(str(extent) for extent in output.shape) or "scalar",
        "dtype": output.dtype,
        "low": number(output.low),
        "high": number(output.high),
        "mean": number(output.mean),
        "not_finite": str(output.not_finite),
    }
