"""The cache of plans: programs and what was said of them, under the user's cache folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from netwright.errors import FormatError
from netwright.machine.cache_folder import cache_folder
from netwright.program.file import ProgramFile, open_program, save
from netwright.program.program import Program

# Plans and descriptions, and bytes of them on disk; the least recently used are forgotten.
MOST_KEPT = 128
MOST_BYTES = 2 * 2**30


def digest(*facts: object) -> str:
    """A name for these facts."""
    return blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def plans_folder() -> Path:
    """Where plans are kept."""
    return cache_folder() / "plans"


def kept_plan(key: str) -> tuple[ProgramFile, Mapping[str, Any]] | None:
    """The program and the summary of this key. What is damaged or older counts as absent."""
    summary = kept_json(key)
    if summary is None:
        return None
    try:
        return open_program(plans_folder() / f"{key}.nwp"), summary
    except FormatError:
        return None  # it is planned again and replaced


def keep_plan(
    key: str, program: Program, summary: Mapping[str, Any]
) -> tuple[ProgramFile, str | None]:
    """Keeps a plan and opens it; with a note where the cache folder cannot be written.

    The program is then opened from a temporary file, gone with the process.
    """
    path = plans_folder() / f"{key}.nwp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(program, path)
        keep_json(key, summary)
        forget_least_used(path.parent)
    except OSError as error:
        note = f"the plan cannot be kept in {path.parent} ({error.strerror}): it is made each time"
        with TemporaryDirectory(prefix="netwright-") as folder:
            path = Path(folder) / path.name
            save(program, path)
            return open_program(path), note
    return open_program(path), None


def kept_json(key: str) -> Mapping[str, Any] | None:
    """The object kept under this key; None when there is none that can be read."""
    try:
        found: Any = json.loads(_used(plans_folder() / f"{key}.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]


def keep_json(key: str, value: Mapping[str, Any]) -> None:
    """Keeps an object, whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    path = plans_folder() / f"{key}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(value), "utf-8")
    partial.replace(path)


def _used(path: Path) -> Path:
    """The same, noted as used now; a folder that cannot be written notes nothing."""
    with suppress(OSError):
        os.utime(path)
    return path


def forget_least_used(
    folder: Path, most_kept: int = MOST_KEPT, most_bytes: int = MOST_BYTES
) -> None:
    """Removes what was used longest ago until so many, and so many bytes, are left.

    What was used last stays, however large it is.
    """
    found: dict[str, list[os.stat_result]] = {}
    for path in folder.iterdir():
        with suppress(OSError):  # another process may have removed it
            if path.suffix in (".json", ".nwp"):
                found.setdefault(path.stem, []).append(path.stat())
    latest = sorted(found, key=lambda key: max(s.st_mtime_ns for s in found[key]), reverse=True)
    total = 0
    for place, key in enumerate(latest):
        total += sum(s.st_size for s in found[key])
        if place and (place >= most_kept or total > most_bytes):
            for suffix in (".json", ".nwp"):
                (folder / key).with_suffix(suffix).unlink(missing_ok=True)
