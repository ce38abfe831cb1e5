"""What the harness must know of a kind of file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import final

from .mutate import mutate


def as_it_is(data: bytes) -> bytes:
    """No repair."""
    return data


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """`seeds` writes valid files into a folder and names them; `load` reads one as far as a user
    would; `edit` makes a case of a seed; `repair` sets checksums right again, so that an edit
    gets past them.
    """

    name: str
    suffix: str
    seeds: Callable[[Path], list[Path]]
    load: Callable[[Path], None]
    repair: Callable[[bytes], bytes] = as_it_is
    edit: Callable[[bytes, Sequence[bytes], Random], bytes] = mutate
