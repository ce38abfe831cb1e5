"""Views reshaped, merged and put in order without moving a byte where that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netwright.errors import PlanError
from netwright.graph.extent import Extent
from netwright.plan.lower.emitter import Emitter
from netwright.plan.lower.step import View, times


def merged(view: View, dims: Sequence[int]) -> tuple[Extent, Extent] | None:
    """Size and stride of these dims (outermost first) seen as one, or None."""
    size: Extent = 1
    stride: Extent | None = None
    for d in reversed(dims):
        if view.shape[d] == 1:
            continue
        if stride is None:
            stride = view.stride_bytes[d]
        elif view.stride_bytes[d] != times(stride, size):
            return None
        size = times(size, view.shape[d])
    return size, view.item_bytes if stride is None else stride


def grouped(view: View, groups: Sequence[Sequence[int]]) -> View | None:
    """The view with each group of dims merged into one, or None when strides do not allow it."""
    sizes: list[Extent] = []
    strides: list[Extent] = []
    for dims in groups:
        one = merged(view, dims)
        if one is None:
            return None
        sizes.append(one[0])
        strides.append(one[1])
    return replace(view, shape=tuple(sizes), stride_bytes=tuple(strides))


def permuted(view: View, order: Sequence[int]) -> View:
    """Dims in another order."""
    return replace(
        view,
        shape=tuple(view.shape[d] for d in order),
        stride_bytes=tuple(view.stride_bytes[d] for d in order),
    )


def physical_order(view: View) -> tuple[int, ...]:
    """Dims from the largest stride to the smallest; ties and dims of size 1 keep their order."""
    strides = [
        0 if s == 1 else _plain(t) for s, t in zip(view.shape, view.stride_bytes, strict=True)
    ]
    known = sorted((d for d in range(len(strides)) if strides[d]), key=lambda d: -strides[d])
    rest = [d for d in range(len(strides)) if not strides[d]]
    return tuple(rest + known)


def _plain(stride: Extent) -> int:
    return abs(
        stride if isinstance(stride, int) else stride.constant + sum(c for _, c in stride.terms)
    )


def copied(emitter: Emitter, view: View, source: str, order: Sequence[int] | None = None) -> View:
    """The same values in fresh memory, dims lying there in this order."""
    fresh = emitter.scratch(view.shape, view.format, source, order)
    emitter.emit("copy", [fresh], [view], [], source, emitter.size_of(view.shape, 1))
    return fresh


def broadcast(view: View, shape: Sequence[Extent]) -> View:
    """The view spread over a larger shape by strides of 0 (numpy's rule)."""
    missing = len(shape) - len(view.shape)
    strides: list[Extent] = [0] * missing
    for size, stride, wanted in zip(view.shape, view.stride_bytes, shape[missing:], strict=True):
        strides.append(0 if size == 1 and wanted != 1 else stride)
    return replace(view, shape=tuple(shape), stride_bytes=tuple(strides))


def squeezed(views: Sequence[View], rank: int, why: str) -> list[View]:
    """Views of one shape with neighbouring dims merged where all allow it, to at most `rank` dims.

    Raises:
        PlanError: more dims are left than kernels take.
    """
    shape = views[0].shape
    groups: list[list[int]] = []
    for d in range(len(shape)):
        if shape[d] == 1:
            continue
        together = [*groups[-1], d] if groups else [d]
        if groups and all(merged(v, together) is not None and _even(v, together) for v in views):
            groups[-1] = together
        else:
            groups.append([d])
    groups = groups or [[]]
    if len(groups) > rank:
        raise PlanError(f"{why}: {len(groups)} dims that cannot be merged; kernels take {rank}")
    result: list[View] = []
    for view in views:
        one = grouped(view, groups)
        assert one is not None
        result.append(one)
    return result


def _even(view: View, dims: Sequence[int]) -> bool:
    """Strides of 0 merge only with each other."""
    zero = [view.stride_bytes[d] == 0 for d in dims]
    return all(zero) or not any(zero)


def channels_last(emitter: Emitter, view: View, source: str) -> View:
    """[N, C, H, W] (or [N, C, L] as [N, C, 1, L]) with neighbouring channels side by side."""
    if len(view.shape) == 3:
        n, c, length = view.shape
        sn, sc, sl = view.stride_bytes
        view = replace(view, shape=(n, c, 1, length), stride_bytes=(sn, sc, times(sl, length), sl))
    if view.shape[1] == 1 or view.stride_bytes[1] == view.item_bytes:
        strides = (view.stride_bytes[0], view.item_bytes, *view.stride_bytes[2:])
        return replace(view, stride_bytes=strides)
    return copied(emitter, view, source, (0, 2, 3, 1))


def fresh_channels_last(
    emitter: Emitter, shape: Sequence[Extent], source: str
) -> tuple[View, View]:
    """A new activation of rank 3 or 4: as the graph sees it, and as kernels do."""
    if len(shape) == 4:
        view = emitter.scratch(shape, "fp32", source, (0, 2, 3, 1))
        return view, view
    view = emitter.scratch(shape, "fp32", source, (0, 2, 1))
    n, c, length = view.shape
    sn, sc, sl = view.stride_bytes
    kernel = replace(view, shape=(n, c, 1, length), stride_bytes=(sn, sc, times(sl, length), sl))
    return view, kernel
