"""What the native runtime holds in a process besides any program: measured in a fresh one.

`python -m netwright.machine.probe.process` prints the bytes: code of the core that the first calls
of common kernels bring in, and what they allocate.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from netwright.machine.probe.points import KernelPoint, ProbeOperand, dense, packed, point
from netwright.machine.probe.timing import WRITTEN, Timer
from netwright.machine.table import Regime

ROLLUP = Path("/proc/self/smaps_rollup")
MOST_SECONDS = 30.0
SMALL_BYTES = 2**18


def runtime_bytes() -> int:
    """Bytes resident in any process that runs programs; 0 where the system does not say."""
    command = [sys.executable, "-m", "netwright.machine.probe.process"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=MOST_SECONDS, check=True
        )
        return max(0, int(done.stdout.strip() or 0))
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


def _resident() -> int:
    """Exact, unlike VmRSS, which is counted in batches."""
    for line in ROLLUP.read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    return 0


def _points() -> tuple[KernelPoint, ...]:
    x, square = dense("fp32", 64), dense("fp32", 4, 64)
    product: tuple[ProbeOperand | None, ...] = (square, square, packed(64, 64, 1, 1), None, None)
    return (
        point("gemm_packed", "fp32", (), product, (64, 64, 0, 0.0, 0.0)),
        point("unary", "6", (), (x, x), (6, 0.0, 0.0)),
        point("binary", "fp32", (), (x, x, x), (0, 0, 0.0, 0.0)),
        point("copy", "fp32,fp32", (), (x, x)),
        point("softmax", "fp32", (), (square, square), (0,)),
    )


def main() -> None:
    """Prints how much more is resident after the first calls."""
    timer = Timer(64, SMALL_BYTES)
    points = [p for p in _points() if p.opcode in WRITTEN]
    before = _resident()
    for each in points:
        timer.time(replace(each, regime=Regime.WARM), 0.0)
    print(_resident() - before)


if __name__ == "__main__":
    main()
