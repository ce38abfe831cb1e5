"""JSON lines between the benchmark and a library's process: one request, one answer.

Imports the standard library only: it runs in the environments of all libraries.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO, final

ROOT = Path(__file__).parents[2]
OURS = Path(sys.executable)
PEERS = Path(os.environ.get("BENCH_PYTHON", ROOT / "build/bench-venv/bin/python"))
LOGS = ROOT / "build" / "bench-logs"

Answer = dict[str, Any]


class WorkerError(Exception):
    """A library is missing, or its process died; the message says what it printed last."""


@final
class Worker:
    """A library's process. `ask` sends a request and waits for its answer."""

    def __init__(self, python: Path, module: str, library: str, arguments: list[str]) -> None:
        if not python.exists():
            raise WorkerError(f"{library}: no environment at {python}; run: make bench")
        LOGS.mkdir(parents=True, exist_ok=True)
        self._log = LOGS / f"{module.rpartition('.')[2]}-{library}.log"
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore",
        }
        with self._log.open("w") as errors:
            self._process = subprocess.Popen(
                [str(python), "-m", module, library, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
                cwd=ROOT,
            )
        try:
            self.facts: Answer = self._answer()
        except WorkerError:
            self.close()
            raise

    def ask(self, request: Mapping[str, Any]) -> Answer:
        """One request, one answer.

        Raises:
            WorkerError: the process ended without an answer.
        """
        stream = self._process.stdin
        assert stream is not None
        stream.write(json.dumps(request) + "\n")
        stream.flush()
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=60)

    def _answer(self) -> Answer:
        stream = self._process.stdout
        assert stream is not None
        line = stream.readline()
        if not line:
            self._process.wait(timeout=60)
            last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
            raise WorkerError(f"{last[0] if last else 'ended without a word'} (see {self._log})")
        return json.loads(line)


def serve(answers: TextIO, facts: Answer, handle: Callable[[Answer], Answer]) -> None:
    """The worker's side: says its facts, then answers each line until its input ends."""
    print(json.dumps(facts), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(handle(json.loads(line))), file=answers, flush=True)


def claim_output() -> TextIO:
    """The answers' pipe, for answers only: whatever a library prints goes to the log."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def memory_bytes(field: str) -> int:
    """VmRSS or VmHWM of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0
