"""Name or path → Machine: the library, files from outside, and the machine at hand."""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path

from netwright.errors import MachineError
from netwright.machine.build import build
from netwright.machine.document import read_extended
from netwright.machine.machine import Machine
from netwright.machine.probe import Progress, here, silent

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


def machine(name_or_path: str | Path, progress: Progress = silent) -> Machine:
    """A machine of the library, one of a YAML file, or "here": the machine at hand.

    "here" is the stored profile; without one, a quick probe of a few seconds (`progress` is told),
    and `netwright machine probe` takes the full one.

    Raises:
        MachineError: unknown name, bad file, or a store that cannot be used.
    """
    if name_or_path == "here":
        return here(progress)
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(SUFFIXES):
        return load_file(Path(name_or_path))
    return library_machine(text)
