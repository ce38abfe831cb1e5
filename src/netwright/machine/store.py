"""Profiles of machines at hand, in an embedded SQLite file under the user's cache folder."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from netwright.errors import MachineError
from netwright.machine.build import build, dump
from netwright.machine.cache_folder import cache_folder
from netwright.machine.machine import Machine

SCHEMA = """CREATE TABLE IF NOT EXISTS profile (
    key TEXT NOT NULL, depth TEXT NOT NULL, taken TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (key, depth))"""
BUSY_SECONDS = 5.0  # how long another process may hold the file


def store_path() -> Path:
    """$XDG_CACHE_HOME/netwright/machines.sqlite, by default under ~/.cache."""
    return cache_folder() / "machines.sqlite"


def save(path: Path, key: str, depth: str, machine: Machine) -> None:
    """Keeps a profile, in place of an older one of the same key and depth.

    Raises:
        MachineError: the store cannot be written.
    """
    document = json.dumps(dump(machine))
    taken = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection, connection:
            connection.execute(SCHEMA)
            connection.execute(
                "INSERT OR REPLACE INTO profile VALUES (?, ?, ?, ?)", (key, depth, taken, document)
            )
    except (sqlite3.Error, OSError) as error:
        raise MachineError(
            f"{path}: the profile cannot be kept ({error}); make the folder writable, remove a "
            f"damaged file, or set XDG_CACHE_HOME to another folder"
        ) from error


def load(path: Path, key: str, depths: tuple[str, ...]) -> Machine | None:
    """The profile of this key, of the first depth that is there; None when there is none.

    Raises:
        MachineError: the store, or the profile in it, is damaged.
    """
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            connection.execute(SCHEMA)
            rows = dict(
                connection.execute("SELECT depth, document FROM profile WHERE key = ?", (key,))
            )
    except (sqlite3.Error, OSError) as error:
        raise MachineError(
            f"{path}: cannot be read ({error}); remove it: the next probe writes a new one"
        ) from error
    for depth in depths:
        if depth in rows:
            return _build(rows[depth], path)
    return None


def is_stale(path: Path, prefix: str) -> bool:
    """Whether there are profiles whose keys begin so: of this machine, by another build perhaps.

    Raises:
        MachineError: the store is damaged.
    """
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            connection.execute(SCHEMA)
            keys = [str(row[0]) for row in connection.execute("SELECT key FROM profile")]
    except (sqlite3.Error, OSError) as error:
        raise MachineError(
            f"{path}: cannot be read ({error}); remove it: the next probe writes a new one"
        ) from error
    return any(key.startswith(prefix) for key in keys)


def _build(document: object, path: Path) -> Machine:
    try:
        loaded: object = json.loads(str(document))
    except (ValueError, RecursionError) as error:
        raise MachineError(f"{path}: a profile is damaged ({error}); remove the file") from error
    if not isinstance(loaded, dict):
        raise MachineError(f"{path}: a profile is no mapping; remove the file")
    return build(loaded, str(path))  # pyright: ignore[reportUnknownArgumentType]
