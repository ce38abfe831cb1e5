"""Formats that no arithmetic kernel takes, brought to one that does and back by copies."""

from __future__ import annotations

from netwright.graph.tensor import TensorId
from netwright.plan.lower.emitter import Emitter
from netwright.plan.lower.layout import physical_order
from netwright.plan.lower.step import View

ARITHMETIC = ("fp32", "int32", "int64", "bool")
_REALS = ("fp64", "fp16", "bf16")


def cast(emitter: Emitter, view: View, form: str, source: str) -> View:
    """The values in another format; the view itself where they are in it."""
    if view.format == form:
        return view
    order = physical_order(view) if 0 not in view.stride_bytes else None
    fresh = emitter.scratch(view.shape, form, source, order)
    emitter.emit("copy", [fresh], [view], [], source, emitter.size_of(view.shape, 1))
    return fresh


def arithmetic(emitter: Emitter, view: View, source: str) -> View:
    """Other widths of reals as fp32, of whole numbers as int64."""
    if view.format in ARITHMETIC:
        return view
    return cast(emitter, view, "fp32" if view.format in _REALS else "int64", source)


def together(emitter: Emitter, views: list[View], source: str) -> list[View]:
    """Numbers of one format: fp32 where any is real, else int64 where they differ."""
    plain = [arithmetic(emitter, view, source) for view in views]
    forms = {view.format for view in plain}
    if len(forms) < 2 or "bool" in forms:
        return plain
    return [cast(emitter, v, "fp32" if "fp32" in forms else "int64", source) for v in plain]


def settle(emitter: Emitter, tensor: TensorId, source: str) -> None:
    """The result in the format that the graph gives it."""
    form = emitter.graph[tensor].format.name
    emitter.views[tensor] = cast(emitter, emitter.views[tensor], form, source)
