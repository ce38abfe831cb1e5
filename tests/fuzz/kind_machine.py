"""Machine files: those of the library."""

from __future__ import annotations

import shutil
from pathlib import Path

from netwright.machine.load import library_files, load_file

from .kind import Kind
from .mutate_yaml import mutate_yaml


def _seeds(folder: Path) -> list[Path]:
    return [Path(shutil.copy(path, folder)) for path in library_files().values()]


def _load(path: Path) -> None:
    load_file(path)


MACHINE = Kind("machine", ".yaml", _seeds, _load, edit=mutate_yaml)
