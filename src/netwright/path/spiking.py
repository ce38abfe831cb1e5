"""What is asked of a spiking network: its input spikes or a time, and its graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, final

import numpy as np

from netwright.errors import FormatError, JobError
from netwright.path import later
from netwright.path.python import is_python
from netwright.path.stream import load_circuit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netwright.graph.graph import Graph

    Array: TypeAlias = NDArray[Any]

MOST_BYTES = 1 << 30  # of one array in the file


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is to be: input spikes, or a time, or neither (then by densities)."""

    inputs: Mapping[str, Array] | None = None
    seconds: float | None = None
    dt_seconds: float | None = None


def read_spikes(path: Path) -> dict[str, Array]:
    """Arrays by name from an .npz file; pickled objects are never read.

    Raises:
        FormatError: the file cannot be read, or an array is too large.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, MemoryError) as error:
        raise FormatError(f"{path}: not readable as .npz ({error}); use numpy.savez") from error
    for name, array in found.items():
        if array.nbytes > MOST_BYTES or array.dtype.kind not in "biuf":
            raise FormatError(
                f"{path}: {name}: {array.dtype} of {array.nbytes} bytes, at most 1 GiB"
            )
    return found


def network_for(source: str, asked: Asked) -> Graph:
    """The network over as many steps and samples as the inputs have, [T, B, ...] or [T, n].

    Raises:
        JobError: an input has too few dims.
    """
    if is_python(source):
        return load_circuit(Path(source))
    first = next(iter((asked.inputs or {}).values()), None)
    if asked.inputs is not None and (first is None or first.ndim < 2):
        raise JobError("input: expected arrays [steps, samples, neurons] or [steps, neurons]")
    if first is None:
        return later.load(source, dt_seconds=asked.dt_seconds)
    batch = 1 if first.ndim == 2 else first.shape[1]
    dims = {"steps": first.shape[0], "batch": batch}
    return later.load(source, dims=dims, dt_seconds=asked.dt_seconds)
