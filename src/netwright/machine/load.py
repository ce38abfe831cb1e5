"""Name or path → Machine: the library, files from outside, and the machine at hand."""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path

from netwright.errors import MachineError
from netwright.machine.build import build
from netwright.machine.document import read_extended
from netwright.machine.machine import Machine

LIBRARY = Path(__file__).parent / "library"
SUFFIXES = (".yaml", ".yml")


@lru_cache(maxsize=1)
def library_files() -> dict[str, Path]:
    """Machine name → its file, in order of name."""
    return {path.stem: path for path in sorted(LIBRARY.glob("*.yaml"))}


def machine_names() -> tuple[str, ...]:
    """Every name that `machine` knows without a file, in order; "here" is not among them."""
    return tuple(library_files())


def load_file(path: Path) -> Machine:
    """The machine that a YAML file describes.

    Raises:
        MachineError: names the file, the field, what was got and what would help.
    """
    return build(read_extended(path, library_files()), str(path))


@lru_cache(maxsize=64)
def library_machine(name: str) -> Machine:
    """A machine of the library.

    Raises:
        MachineError: there is none of this name; the nearest names are shown.
    """
    files = library_files()
    if name not in files:
        near = difflib.get_close_matches(name, files, n=3, cutoff=0.4) or list(files)[:3]
        raise MachineError(
            f"machine {name!r}: not in the library, and no file of this path; nearest: "
            f"{', '.join(near)}; `netwright machine list` shows all {len(files)}"
        )
    return load_file(files[name])
