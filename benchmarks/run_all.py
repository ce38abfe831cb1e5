"""Every benchmark, one after the other: python -m benchmarks.run_all (what `make bench` runs)."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = (
    "light",
    "allocate",
    "events",
    "onnx_networks",
    "first_result",
    "truth",
    "llm",
    "two_threads",
)


def main() -> None:
    subprocess.run([sys.executable, "-m", "netwright", "machine", "probe"], check=True)
    failed = [
        name
        for name in BENCHMARKS
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    ]
    if failed:
        raise SystemExit(f"these did not finish: {', '.join(failed)}")


if __name__ == "__main__":
    main()
