"""Where a source lies, by path or by the name of a shipped network. Reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from netwright.errors import FormatError
from netwright.frontends.packages import SHIPPED, package_file


def locate(source: str | Path) -> Path:
    """The file or folder of a source.

    Raises:
        FormatError: there is none.
    """
    path = Path(source)
    if is_shipped(source):
        return package_file(str(source))
    if not path.exists():
        raise absent(path)
    return path


def is_shipped(source: str | Path) -> bool:
    """Whether a source is the name of a shipped network, and no file of that name is here."""
    return isinstance(source, str) and source in SHIPPED and not Path(source).exists()


def known_dims(source: str | Path) -> Mapping[str, int]:
    """Sizes that are known for a shipped network."""
    return dict(SHIPPED[str(source)].dims) if is_shipped(source) else {}


def absent(path: Path) -> FormatError:
    """The error for a path where nothing is; names that are nearly it come first."""
    near = get_close_matches(path.name, SHIPPED, n=2)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return FormatError(
        f"{path}: there is no such file; {meant}give a path, or one of {', '.join(SHIPPED)}"
    )
