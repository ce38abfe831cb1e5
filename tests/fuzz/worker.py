"""One process of the harness; its arguments are those that `main` takes apart.

Prints `index` before each case, and `index JSON` after it: null when the file was taken, the
traceback when something escaped, nothing when it was refused.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import sys
import traceback
import warnings
from pathlib import Path
from random import Random

from netwright.errors import NetwrightError

from .kind import Kind
from .kinds import KINDS

# No file of a few kilobytes may make a loader ask for more than this.
MOST_BYTES = 4 << 30


def case(kind: Kind, seeds: list[bytes], seed: int, index: int) -> bytes:
    """The bytes of one case; they depend on nothing but these arguments."""
    random = Random(f"{kind.name}/{seed}/{index}")
    return kind.repair(kind.edit(random.choice(seeds), seeds, random))


def escaped_name(kind: Kind, index: int) -> str:
    """The file of a case that escaped, in the worker's folder."""
    return f"escaped-{index}{kind.suffix}"


def seeds_of(kind: Kind, folder: Path) -> list[bytes]:
    """The valid files, checked to be valid."""
    paths = kind.seeds(folder)
    for path in paths:
        kind.load(path)
    return [path.read_bytes() for path in paths]


def outcome(kind: Kind, path: Path) -> str | None:
    """Nothing ("") when the file was refused, None when it was taken, else what escaped."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            kind.load(path)
    except NetwrightError:
        return ""
    except BaseException:
        return traceback.format_exc()
    return None


def main(arguments: list[str]) -> None:
    """Runs the cases; a hang or a crash ends the process, and the caller knows the index."""
    name, seed, first, count, seconds, folder, sanitised = arguments
    kind = next(k for k in KINDS if k.name == name)
    if sanitised == "0":
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    seeds = seeds_of(kind, Path(folder))
    path = Path(folder) / f"case{kind.suffix}"
    for index in range(int(first), int(first) + int(count)):
        # A new file each time: mapped bytes of an earlier case must not change underneath it.
        path.unlink(missing_ok=True)
        path.write_bytes(case(kind, seeds, int(seed), index))
        sys.stdout.write(f"{index}\n")
        sys.stdout.flush()
        faulthandler.dump_traceback_later(float(seconds), exit=True)
        found = outcome(kind, path)
        faulthandler.cancel_dump_traceback_later()
        if found:
            path.rename(Path(folder) / escaped_name(kind, index))
        if found != "":
            sys.stdout.write(f"{index} {json.dumps(found)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
