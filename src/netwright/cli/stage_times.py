"""Times and memory of pipeline stages on the command line and in files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from rich.table import Table

from netwright.cli.limits import BYTES, SECONDS
from netwright.errors import JobError, MachineError
from netwright.machine.document import read
from netwright.path.staged import Staged
from netwright.plan.pipeline.times import StageTimes, uniform_times
from netwright.plan.quantity import quantity

COLUMNS = ("T_F", "T_B", "T_W", "T_comm")
NUMBER = re.compile(r"\s*(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)\s*([a-z]*)\s*")
MOST_WORKERS = 1024


def given_times(text: str, workers: int, kept: float) -> StageTimes:
    """`1,1.1,0.9,0.05` or `18.5ms,18.1ms,9.3ms,600us`: T_F, T_B, T_W and T_comm of every stage.

    Raises:
        JobError: not four times.
    """
    if not 1 <= workers <= MOST_WORKERS:
        raise JobError(f"--stages {workers}: expected 1 to {MOST_WORKERS}")
    found = [NUMBER.fullmatch(part) for part in text.split(",")]
    if len(found) != len(COLUMNS) or any(f is None or f[2] not in SECONDS for f in found):
        raise JobError(
            f"--times {text!r}: expected T_F,T_B,T_W,T_comm, numbers of seconds or with s, ms, us"
        )
    seconds = [float(f[1]) * SECONDS[f[2]] for f in found if f is not None]
    return uniform_times(workers, seconds, kept)


def file_times(path: Path, kept: float) -> StageTimes:
    """A YAML or JSON file: `T_F`, `T_B`, `T_W`, `T_comm`, seconds, a list with one number a stage.

    A single number stands for every stage; `kept` may stand there too.

    Raises:
        JobError: it cannot be read, a column is missing, or one is of another length.
    """
    try:
        document = read(path)
    except MachineError as error:
        raise JobError(str(error)) from error
    unknown = sorted(set(document) - {*COLUMNS, "kept"})
    missing = [name for name in COLUMNS if name not in document]
    if unknown or missing:
        raise JobError(
            f"{path}: got unknown {unknown}, missing {missing}; expected {', '.join(COLUMNS)}"
            " (seconds, one number a stage) and perhaps kept"
        )
    columns = [_numbers(path, name, document[name]) for name in COLUMNS]
    workers = max(map(len, columns))
    if workers > MOST_WORKERS:
        raise JobError(f"{path}: {workers} stages, expected at most {MOST_WORKERS}")
    full = [column * workers if len(column) == 1 else column for column in columns]
    share = _numbers(path, "kept", document.get("kept", kept))[0]
    return StageTimes(full[0], full[1], full[2], full[3], share)


def memory_limit(text: str, workers: int) -> float:
    """`1.0x`: that many times what 1F1B holds (an activation for every stage); `12`: activations.

    Raises:
        JobError: not such a number above 0.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(x?)\s*", text)
    if found is None or float(found[1]) <= 0:
        raise JobError(
            f"--memory {text!r}: expected 1.0x (times what 1F1B holds) or a number of activations"
        )
    return float(found[1]) * (workers if found[2] else 1)


def message_bytes(text: str) -> int:
    """`12MB`: what one message between two stages carries.

    Raises:
        JobError: not a number of bytes.
    """
    found = NUMBER.fullmatch(text.lower())
    if found is None or found[2] not in BYTES:
        raise JobError(f"--message {text!r}: expected bytes, a number with kB, MB, GB, KiB, MiB")
    return int(float(found[1]) * BYTES[found[2]])


def columns_of(times: StageTimes) -> dict[str, Any]:
    """The same as a file has it: what `--stage-times` reads."""
    columns = (
        times.forward_seconds,
        times.input_seconds,
        times.weight_seconds,
        times.transfer_seconds,
    )
    found: dict[str, Any] = {n: list(c) for n, c in zip(COLUMNS, columns, strict=True)}
    return {**found, "kept": times.kept}


def stages_table(found: Staged) -> Table:
    """What each stage takes, for people."""
    table = Table(
        title=f"{found.network} on {found.machine}; a micro-batch keeps"
        f" {quantity(found.activation_bytes, 'bytes')} on a stage at most",
        title_justify="left",
    )
    for name in ("stage", "share", *COLUMNS, "message"):
        table.add_column(name, justify="right")
    columns = columns_of(found.times)
    for stage, share in enumerate(found.shares):
        seconds = [quantity(columns[name][stage], "seconds") for name in COLUMNS]
        size = found.message_bytes[stage] if stage < len(found.message_bytes) else None
        sent = "" if size is None else quantity(size, "bytes")
        table.add_row(str(stage), f"{100 * share:.1f} %", *seconds, sent)
    return table


def _numbers(path: Path, name: str, value: Any) -> tuple[float, ...]:
    items: list[Any] = cast(list[Any], value) if isinstance(value, list) else [value]
    if not items or any(isinstance(i, bool) or not isinstance(i, int | float) for i in items):
        raise JobError(f"{path}: {name}: got {value!r}, expected numbers")
    return tuple(float(i) for i in items)
