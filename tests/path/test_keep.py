"""The cache of plans forgets what was used longest ago, by number and by bytes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netwright.path.keep import forget_least_used, keep_json, kept_json


def fill(folder: Path, sizes: list[int]) -> None:
    """Plans p0, p1, ... of so many bytes, the first used longest ago."""
    for index, size in enumerate(sizes):
        for suffix, length in ((".json", 10), (".nwp", size - 10)):
            path = folder / f"p{index}{suffix}"
            path.write_bytes(b"x" * length)
            os.utime(path, (1000 + index, 1000 + index))


def left(folder: Path) -> set[str]:
    assert {p.stem for p in folder.glob("*.json")} == {p.stem for p in folder.glob("*.nwp")}
    return {p.stem for p in folder.iterdir()}


def test_by_number(tmp_path: Path) -> None:
    fill(tmp_path, [100] * 5)
    forget_least_used(tmp_path, most_kept=2)
    assert left(tmp_path) == {"p3", "p4"}


def test_by_bytes(tmp_path: Path) -> None:
    fill(tmp_path, [100, 100, 500, 100, 100])
    forget_least_used(tmp_path, most_bytes=650)
    assert left(tmp_path) == {"p3", "p4"}


def test_what_was_used_last_stays_however_large(tmp_path: Path) -> None:
    fill(tmp_path, [100, 9000])
    forget_least_used(tmp_path, most_bytes=650)
    assert left(tmp_path) == {"p1"}


def test_asking_is_using(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "netwright" / "plans"
    for name in ("a", "b"):
        keep_json(name, {"n": name})
        os.utime(folder / f"{name}.json", (1000, 1000))
    assert kept_json("a") == {"n": "a"}
    forget_least_used(folder, most_kept=1)
    assert [p.stem for p in folder.iterdir()] == ["a"]
