"""Run: the record of one finished run that a report is made of and that a folder keeps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, cast, final

import numpy as np
from numpy.typing import NDArray

from netwright.report.raster import Raster
from netwright.report.roof import Roof
from netwright.timeline.timeline import Timeline

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Figured(Protocol):
    """Something with figures by name (`token_seconds`, `peak_memory_bytes`, …)."""

    def as_dict(self) -> dict[str, Any]: ...


class Finished(Protocol):
    """What a run hands over: an outcome of the main path has this shape."""

    @property
    def network(self) -> str: ...
    @property
    def machine(self) -> str: ...
    @property
    def predicted(self) -> Figured: ...
    @property
    def measured(self) -> Figured: ...
    @property
    def plan(self) -> Mapping[str, Any]: ...
    @property
    def predicted_timeline(self) -> Timeline: ...
    @property
    def measured_timeline(self) -> Timeline: ...
    @property
    def text(self) -> str | None: ...
    @property
    def outputs(self) -> Mapping[str, NDArray[Any]] | None: ...


@final
@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a run, predicted beside measured. Its name ends with its unit."""

    name: str
    predicted: float | None
    measured: float | None

    @property
    def ratio(self) -> float | None:
        """Measured over predicted; None when either is missing or nothing."""
        if not self.predicted or self.measured is None:
            return None
        return self.measured / self.predicted


@final
@dataclass(frozen=True, slots=True)
class Output:
    """An array that came out, in short. Low, high and mean are of its finite values."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float | None
    high: float | None
    mean: float | None
    not_finite: int


@final
@dataclass(frozen=True, slots=True)
class Run:
    """One run, as plain pieces. `plan` is JSON: the promise (bound, certificate, explanation)."""

    network: str
    machine: str
    figures: tuple[Figure, ...]
    plan: dict[str, Json]
    predicted: Timeline
    measured: Timeline
    text: str | None = None
    outputs: tuple[Output, ...] = ()
    roof: Roof | None = None
    rasters: tuple[Raster, ...] = ()

    @property
    def is_measured(self) -> bool:
        """False for a prediction alone: what no machine at hand can run."""
        return bool(self.measured.spans) or self.measured.seconds > 0


def nothing_measured(predicted: Timeline) -> Timeline:
    """The empty measurement that stands beside a prediction alone."""
    return Timeline(predicted.name, "measured", predicted.machine, (), (), 0.0, 0)


def plain_plan(promise: Mapping[str, Any]) -> dict[str, Json]:
    """What a plan promised, as JSON has it. Numbers that are not finite become None."""
    return {str(key): _plain(value) for key, value in promise.items()}


def run_of(outcome: Finished, roof: Roof | None = None, rasters: tuple[Raster, ...] = ()) -> Run:
    """The record of a finished run. Numbers of the plan that are not finite become None."""
    predicted, measured = outcome.predicted.as_dict(), outcome.measured.as_dict()
    names = list(dict.fromkeys((*predicted, *measured)))
    outputs = outcome.outputs or {}
    return Run(
        outcome.network,
        outcome.machine,
        tuple(Figure(n, _finite(predicted.get(n)), _finite(measured.get(n))) for n in names),
        plain_plan(outcome.plan),
        in_order(outcome.predicted_timeline),
        in_order(outcome.measured_timeline),
        outcome.text,
        tuple(summarise(name, np.asarray(value)) for name, value in outputs.items()),
        roof,
        rasters,
    )


def in_order(timeline: Timeline) -> Timeline:
    """The same timeline, its spans in order of start, as the law of timelines has it."""
    spans = tuple(sorted(timeline.spans, key=lambda span: span.start_seconds))
    return timeline if spans == timeline.spans else replace(timeline, spans=spans)


def summarise(name: str, value: NDArray[Any]) -> Output:
    """An array in short."""
    kind = str(value.dtype)
    flat = value.reshape(-1)
    if flat.dtype.kind not in "biuf":
        return Output(name, value.shape, kind, None, None, None, 0)
    floats = flat.astype(np.float64)
    finite = floats[np.isfinite(floats)]
    lost = int(floats.size - finite.size)
    if not finite.size:
        return Output(name, value.shape, kind, None, None, None, lost)
    low, high, mean = float(finite.min()), float(finite.max()), float(finite.mean())
    return Output(name, value.shape, kind, low, high, mean, lost)


def _finite(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _plain(value: Any) -> Json:
    """A value as JSON has it: numpy scalars as numbers, tuples as lists."""
    if isinstance(value, Mapping):
        entries = cast("Mapping[Any, Any]", value)
        return {str(key): _plain(item) for key, item in entries.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[Any] | tuple[Any, ...]", value)]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
