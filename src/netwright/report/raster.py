"""Raster: when each neuron of a population fired, thinned to what a page can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from numpy.typing import NDArray

from netwright.report.document import as_count, as_list, as_number, as_text, wrong
from netwright.report.quantities import seconds_text
from netwright.report.svg import element, label, line, picture, ticks

MOST_DOTS = 6000
WIDTH, HEIGHT = 1100.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 66.0, 16.0, 14.0, 34.0


@final
@dataclass(frozen=True, slots=True)
class Raster:
    """Of each spike shown its step and neuron; `spikes` is how many there were."""

    name: str
    neurons: int
    steps: int
    dt_seconds: float
    spikes: int
    dots: tuple[tuple[int, int], ...]


def raster_of(
    name: str, size: tuple[int, int], dt_seconds: float, step: NDArray[Any], neuron: NDArray[Any]
) -> Raster:
    """`size` is (steps, neurons). Of too many spikes neurons are left out, not times."""
    steps, neurons = size
    each = max(1, -(-len(step) // MOST_DOTS))
    shown = neuron % each == 0
    dots = zip(step[shown].tolist(), neuron[shown].tolist(), strict=True)
    return Raster(name, neurons, steps, dt_seconds, len(step), tuple(dots))


def raster_json(raster: Raster) -> list[Any]:
    """As `run.json` holds it."""
    flat = [number for dot in raster.dots for number in dot]
    size = (raster.neurons, raster.steps, raster.dt_seconds, raster.spikes)
    return [raster.name, *size, flat]


def raster_from_json(where: str, value: object) -> Raster:
    """Back, every field checked.

    Raises:
        FormatError: a field is missing, of another kind or out of range.
    """
    row = as_list(where, value)
    if len(row) != 6:
        raise wrong(where, row, "name, neurons, steps, dt, spikes, dots")
    neurons, steps = as_count(where, row[1]), as_count(where, row[2])
    flat = [as_count(where, number) for number in as_list(where, row[5])]
    if len(flat) % 2 or len(flat) > 4 * MOST_DOTS:
        raise wrong(where, len(flat), f"an even number of at most {4 * MOST_DOTS}")
    dots = tuple(zip(flat[::2], flat[1::2], strict=True))
    if any(step >= steps or neuron >= neurons for step, neuron in dots):
        raise wrong(where, "a spike outside", f"steps below {steps} and neurons below {neurons}")
    spikes = as_count(where, row[4])
    return Raster(as_text(where, row[0]), neurons, steps, as_number(where, row[3]), spikes, dots)


def raster_picture(raster: Raster) -> str:
    """Dots over time, the first neuron below."""
    seconds = raster.steps * raster.dt_seconds
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    drawn: list[str] = []
    for at in ticks(seconds):
        x = LEFT + wide * at / max(seconds, 1e-300)
        drawn.append(line(x, TOP, x, HEIGHT - BOTTOM, "grid"))
        drawn.append(
            label(x, HEIGHT - BOTTOM + 18, seconds_text(at) if at else "0", "faint middle")
        )
    marks = "".join(
        f"M{LEFT + wide * step / max(raster.steps, 1):.1f} "
        f"{TOP + high * (1 - neuron / max(raster.neurons, 1)):.1f}h1.2"
        for step, neuron in raster.dots
    )
    drawn.append(element("path", {"d": marks, "class": "spikes"}))
    drawn.append(label(LEFT - 8, TOP + 10, f"{raster.neurons}", "faint end"))
    drawn.append(label(LEFT - 8, HEIGHT - BOTTOM, "0", "faint end"))
    return picture(WIDTH, HEIGHT, f"spikes of {raster.name}", *drawn)


def raster_title(raster: Raster) -> str:
    """What is shown of how much."""
    rate = raster.spikes / max(raster.neurons * raster.steps * raster.dt_seconds, 1e-300)
    text = f"{raster.name}: {raster.spikes} spikes, {rate:.2f} a second and neuron"
    if len(raster.dots) < raster.spikes:
        text += f"; {len(raster.dots)} are shown, of every so many-th neuron"
    return text
