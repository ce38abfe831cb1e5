"""How large the base install is, and how long the import takes: python -m benchmarks.light.

A fresh virtual environment gets the package and what it depends on, built as a user's would be.
Counted are the bytes that installing added; the import is timed in processes of their own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.tables import machine_line, show, verdict

ROOT = Path(__file__).resolve().parents[1]
CLAIMED_BYTES, CLAIMED_SECONDS, REPEATS = 150e6, 0.25, 11


def size_bytes(folder: Path) -> int:
    """Of the files below; a link counts nothing."""
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def import_seconds(python: Path, statement: str) -> float:
    """The median of some processes, start of the interpreter included."""
    taken: list[float] = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        subprocess.run([python, "-c", statement], check=True)
        taken.append(time.perf_counter() - begun)
    return median(taken)


def main() -> None:
    """Prints both figures."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        before = size_bytes(Path(folder))
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", ROOT], check=True)
        added = size_bytes(Path(folder)) - before
        nothing = import_seconds(python, "pass")
        whole = import_seconds(python, "import netwright")
    print(machine_line())
    show(
        "light",
        ["", "claimed", "shown", ""],
        [
            [
                "base install",
                "< 150 MB",
                f"{added / 1e6:.0f} MB",
                verdict(CLAIMED_BYTES / added, 1),
            ],
            [
                "import netwright",
                f"< {CLAIMED_SECONDS} s",
                f"{whole:.3f} s ({nothing:.3f} s of it the interpreter)",
                verdict(CLAIMED_SECONDS / whole, 1),
            ],
        ],
    )


if __name__ == "__main__":
    main()
