"""Graph → Graph with chosen weights written in other formats, tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError, GraphError, UnsupportedError
from netwright.graph.format import FORMATS, Boolean, Format, Integer
from netwright.graph.graph import Graph
from netwright.graph.tensor import ArrayData, Data, FileData, Role, Tensor, TensorId

# Elements held as float64 at once, whatever the size of the tensor (32 MB).
_CHUNK_ELEMENTS = 1 << 22
# Elements of a weight by which a format is judged before it is chosen.
SAMPLE_ELEMENTS = 1 << 14


@final
@dataclass(frozen=True, slots=True)
class Requantised:
    """What writing one weight anew did to it, over all its repetitions.

    `relative_rms` is sqrt(sum (after - before)^2 / sum before^2): 0 for a tensor of zeros.
    """

    tensor: TensorId
    name: str
    before: Format
    after: Format
    elements: int
    before_bytes: int
    after_bytes: int
    relative_rms: float
    largest_error: float


@final
@dataclass(frozen=True, slots=True)
class Quantised:
    """The new graph and one record for each weight that changed, in the order of the tensors."""

    graph: Graph
    changes: tuple[Requantised, ...]


def quantise(graph: Graph, formats: Mapping[TensorId, Format]) -> Quantised:
    """The graph with these weights in these formats; weights already in theirs stay as they are.

    Raises:
        GraphError: a tensor is not of the graph, or holds no weight.
        UnsupportedError: a weight holds integers, or its rows are no whole number of blocks;
            the message names the formats that would do.
        FormatError: a file is shorter than its weight, or a value cannot be written.
    """
    tensors = list(graph.tensors)
    # All are checked before any work is done.
    for identity, form in formats.items():
        _check(graph, identity, form)
    changes: list[Requantised] = []
    for identity in sorted(formats):
        if tensors[identity].format != formats[identity]:
            tensors[identity], change = _rewrite(identity, tensors[identity], formats[identity])
            changes.append(change)
    return Quantised(replace(graph, tensors=tuple(tensors)), tuple(changes))


def matrices(graph: Graph) -> tuple[TensorId, ...]:
    """The weights of real numbers with two dims or more: those that are worth fewer bits."""
    return tuple(
        TensorId(i)
        for i, tensor in enumerate(graph.tensors)
        if tensor.role is Role.WEIGHT
        and tensor.data
        and len(tensor.dims) >= 2
        and not isinstance(tensor.format, Integer | Boolean)
    )


def formats_that_divide(row_elements: int, near: Format) -> tuple[Format, ...]:
    """Formats of real numbers whose block divides the row, nearest in bits to `near` first."""
    fitting = [
        form
        for form in FORMATS
        if row_elements % form.block_elements == 0 and not isinstance(form, Integer | Boolean)
    ]
    bits = near.bits_per_element
    return tuple(sorted(fitting, key=lambda f: abs(f.bits_per_element - bits)))


def _check(graph: Graph, identity: TensorId, form: Format) -> None:
    """Raises GraphError or UnsupportedError when this weight cannot be written so."""
    if not 0 <= identity < len(graph.tensors):
        raise GraphError(f"{graph.name}: tensor {identity}; expected 0 to {len(graph.tensors) - 1}")
    tensor = graph[identity]
    if tensor.role is not Role.WEIGHT or not tensor.data:
        raise GraphError(
            f"{graph.name}: tensor {tensor.name!r} is {tensor.role.value} with {len(tensor.data)} "
            "data entries; expected a weight with data"
        )
    if isinstance(tensor.format, Integer | Boolean):
        raise UnsupportedError(
            f"{graph.name}: weight {tensor.name!r} holds {tensor.format.name} (indices or flags), "
            f"which {form.name} would change; leave it out"
        )
    _, row_elements = _rows(tensor)
    if row_elements % form.block_elements:
        near = ", ".join(f.name for f in formats_that_divide(row_elements, form)[:6])
        raise UnsupportedError(
            f"{graph.name}: weight {tensor.name!r} has rows of {row_elements} elements, no "
            f"multiple of the block of {form.block_elements} of {form.name}; formats that would "
            f"do, nearest in bits first: {near}"
        )


def _rows(tensor: Tensor) -> tuple[int, int]:
    """Rows, and elements of a row, of one data entry. A scalar is a row of one."""
    sizes: list[int] = []
    for dim in tensor.dims:
        if not isinstance(dim.size, int):
            raise GraphError(
                f"weight {tensor.name!r}: dim {dim.name!r} is {dim.size}; expected a fixed size"
            )
        sizes.append(dim.size)
    rows = 1
    for size in sizes[:-1]:
        rows *= size
    return rows, sizes[-1] if sizes else 1


def _rewrite(identity: TensorId, tensor: Tensor, form: Format) -> tuple[Tensor, Requantised]:
    """The weight in another format, and what that did."""
    rows, row_elements = _rows(tensor)
    old_row_bytes = tensor.format.row_bytes(row_elements)
    new_row_bytes = form.row_bytes(row_elements)
    step = max(1, _CHUNK_ELEMENTS // max(1, row_elements))
    square, square_error, largest = 0.0, 0.0, 0.0
    written: list[Data] = []
    for entry in tensor.data:
        old = _stored(tensor, entry, rows * old_row_bytes).reshape(rows, old_row_bytes)
        new = np.empty((rows, new_row_bytes), np.uint8)
        for start in range(0, rows, step):
            values = tensor.format.decode(old[start : start + step])
            new[start : start + step], error = _encoded(tensor, form, values)
            square += _square(values)
            square_error += _square(error)
            largest = max(largest, float(np.abs(error).max(initial=0.0)))
        written.append(ArrayData(new.reshape(-1)))
    count = len(tensor.data)
    relative = (square_error / square) ** 0.5 if square > 0 else float(square_error > 0)
    change = Requantised(
        tensor=identity,
        name=tensor.name,
        before=tensor.format,
        after=form,
        elements=count * rows * row_elements,
        before_bytes=count * rows * old_row_bytes,
        after_bytes=count * rows * new_row_bytes,
        relative_rms=relative,
        largest_error=largest,
    )
    return replace(tensor, format=form, data=tuple(written)), change


def _square(values: NDArray[np.float64]) -> float:
    """The sum of squares. BLAS would start threads for so little."""
    return float(np.square(values).sum())


def _encoded(
    tensor: Tensor, form: Format, values: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The values in the new format, and what each of them gained."""
    try:
        raw = form.encode(values)
    except FormatError as error:
        raise FormatError(f"weight {tensor.name!r}: {error}") from None
    with np.errstate(invalid="ignore"):
        gained = form.decode(raw) - values
    if not np.isfinite(gained).all():
        raise FormatError(
            f"weight {tensor.name!r}: values up to {float(np.abs(values).max()):.6g} are not "
            f"finite or not within {form.name}; choose a format of greater range"
        )
    return raw, gained


def _stored(tensor: Tensor, data: Data, size_bytes: int) -> NDArray[np.uint8]:
    """The bytes of a data entry, mapped when they are in a file."""
    if isinstance(data, ArrayData):
        if data.raw.size != size_bytes:
            raise FormatError(
                f"weight {tensor.name!r}: {data.raw.size} bytes in memory, expected {size_bytes}"
            )
        return data.raw.reshape(-1)
    return _mapped(tensor, data, size_bytes)


def _mapped(tensor: Tensor, data: FileData, size_bytes: int) -> NDArray[np.uint8]:
    """The bytes of a weight in a file.

    Raises:
        FormatError: the file cannot be read, or is shorter than the weight.
    """
    try:
        there = data.path.stat().st_size
        end = data.offset_bytes + size_bytes
        if data.size_bytes != size_bytes or data.offset_bytes < 0 or end > there:
            raise FormatError(
                f"{data.path}: weight {tensor.name!r} of {size_bytes} bytes at "
                f"{data.offset_bytes} (recorded as {data.size_bytes}) in a file of {there}; the "
                "file is not the one that the graph was read from: load it again"
            )
        if size_bytes == 0:
            return np.empty(0, np.uint8)
        return np.memmap(data.path, np.uint8, "r", data.offset_bytes, (size_bytes,))
    except OSError as error:
        raise FormatError(
            f"{data.path}: weight {tensor.name!r} cannot be read: {error.strerror}"
        ) from error


def sampled_error(tensor: Tensor, form: Format, most_elements: int = SAMPLE_ELEMENTS) -> float:
    """`sum (after - before)^2 / sum before^2` over rows spread evenly, as `quantise` would find.

    All rows of all repetitions when they hold no more than `most_elements`.

    Raises:
        FormatError: as `quantise`.
    """
    rows, row_elements = _rows(tensor)
    row_bytes = tensor.format.row_bytes(row_elements)
    each = max(1, most_elements // max(1, row_elements * len(tensor.data)))
    picked = np.unique(np.linspace(0, rows - 1, min(rows, each)).astype(np.int64))
    square, square_error = 0.0, 0.0
    for entry in tensor.data:
        stored = _stored(tensor, entry, rows * row_bytes).reshape(rows, row_bytes)
        values = tensor.format.decode(stored[picked])
        _, error = _encoded(tensor, form, values)
        square += _square(values)
        square_error += _square(error)
    return square_error / square if square > 0 else float(square_error > 0)
