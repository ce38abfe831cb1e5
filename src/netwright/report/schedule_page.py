"""Schedules as one page: a picture of each over one axis of time, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Protocol

import jinja2

from netwright.errors import ReportError
from netwright.plan.certificate import Certificate
from netwright.report.quantities import seconds_text
from netwright.report.svg import element, label, line, picture, ticks, tip
from netwright.simulate.pipeline import PassSpan, Replay, passes_of

WIDTH, LEFT, RIGHT, LANE, GAP, HEAD = 1100.0, 74.0, 10.0, 22.0, 3.0, 24.0
LETTER = 6.5  # pixels that one takes, about
COLOURS = {
    "stage_forward": 0,
    "stage_backward": 1,
    "stage_input_gradient": 2,
    "stage_weight_gradient": 4,
}
WORDS = {
    "stage_forward": "F",
    "stage_backward": "B and W",
    "stage_input_gradient": "B",
    "stage_weight_gradient": "W",
}


class Entry(Protocol):
    """What a page needs of a schedule; `path.schedules.Scheduled` is one."""

    @property
    def replay(self) -> Replay: ...

    @property
    def certificate(self) -> Certificate: ...

    @property
    def fits(self) -> bool: ...


class Given(Protocol):
    """What they were made for; `path.schedules.Wish` is one."""

    @property
    def microbatches(self) -> int: ...

    @property
    def limit(self) -> float: ...


def save_schedules(path: Path, found: Sequence[Entry], given: Given) -> None:
    """Writes the page.

    Raises:
        ReportError: it cannot be written.
    """
    try:
        path.write_text(schedules_page(found, given), encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{path}: cannot be written ({error.strerror})") from error


def schedules_page(found: Sequence[Entry], given: Given) -> str:
    """One self-contained page; nothing is fetched."""
    most = max((one.replay.seconds for one in found), default=1.0)
    workers = max((one.replay.schedule.num_workers for one in found), default=0)
    return _template().render(
        title=f"{workers} stages, {given.microbatches} micro-batches",
        limit=f"{given.limit:g}",
        schedules=[_entry(one, most) for one in found],
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    text = files("netwright.report").joinpath("schedules.html.j2").read_text("utf-8")
    return environment.from_string(text)


def _entry(one: Entry, most: float) -> dict[str, object]:
    bound = one.certificate.bound
    return {
        "name": one.replay.schedule.name,
        "makespan": seconds_text(one.replay.span_seconds),
        "bubble": f"{100 * one.replay.bubble_rate:.2f} %",
        "peak": f"{one.replay.peak:.3g}",
        "fits": one.fits,
        "bound": "none" if bound is None else seconds_text(bound),
        "verdict": one.certificate.text,
        "proved": one.certificate.proved,
        "method": one.certificate.method,
        "picture": _picture(one.replay, most),
    }


def _picture(played: Replay, most: float) -> str:
    scale = (WIDTH - LEFT - RIGHT) / max(most, 1e-300)
    drawn: list[str] = []
    y = HEAD
    for worker, passes in enumerate(passes_of(played)):
        lane = {"x": LEFT, "y": y, "width": WIDTH - LEFT - RIGHT, "height": LANE, "class": "lane"}
        drawn.append(element("rect", lane))
        drawn.append(label(4, y + 15, f"worker {worker}", "faint"))
        drawn += [_cell(one, y, scale, played.schedule.num_workers) for one in passes]
        y += LANE + GAP
    grid = [
        line(LEFT + t * scale, HEAD - 6, LEFT + t * scale, y, "grid")
        + label(LEFT + t * scale, 12, seconds_text(t), "middle faint")
        for t in ticks(most)
        if t == 0 or LEFT + t * scale < WIDTH - RIGHT - 24
    ]
    name = f"passes of {played.schedule.name} over time"
    return picture(WIDTH, y + 4, name, *grid, *drawn)


def _cell(one: PassSpan, y: float, scale: float, workers: int) -> str:
    x, width = LEFT + one.start_seconds * scale, (one.end_seconds - one.start_seconds) * scale
    later = " later" if one.chunk >= workers else ""
    style = f"span c{COLOURS[one.opcode]}{later}"
    box = {"x": x, "y": y, "width": max(width, 0.4), "height": LANE, "class": style}
    seconds = seconds_text(one.end_seconds - one.start_seconds)
    words = (
        f"{WORDS[one.opcode]} of micro-batch {one.microbatch}, chunk {one.chunk}\n{seconds} from"
        f" {seconds_text(one.start_seconds)}"
    )
    drawn = element("rect", box, tip(words))
    number = str(one.microbatch)
    if width < LETTER * len(number) + 2:
        return drawn
    return drawn + label(x + width / 2, y + LANE / 2 + 4, number, "middle inside")
