"""Launch: local worker processes, watched until all have ended; none outlives the run."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, final

from netwright.errors import RunError
from netwright.run.workers.process import Failure, Meeting, child, work_steps
from netwright.run.workers.worker import StepReport, Work

Told = Callable[[StepReport], None]

_GRACE_SECONDS = 2.0  # after a failure: who failed first may only just be dying


def run_locally(
    works: Sequence[Work], steps: int, told: Told, timeout_seconds: float = 120.0
) -> bool:
    """Spawns one process a worker and calls `told` with every report: here, so True.

    A single worker works in this process.

    Raises:
        RunError: a worker failed, died or said nothing for `timeout_seconds`; it names the worker
            and the cause. All others have been ended by then.
    """
    if len(works) == 1:
        work_steps(works[0], 1, steps, told)
        return True
    with tempfile.TemporaryDirectory(prefix="netwright-") as folder:
        address = (Path(folder) / "meeting").as_uri()
        meeting = Meeting(address, len(works), timeout_seconds)
        crew = _Crew(works, meeting, steps)
        try:
            crew.watch(told, timeout_seconds)
        finally:
            crew.end()
    return True


@final
class _Crew:
    """The processes of one run and a pipe to each."""

    def __init__(self, works: Sequence[Work], meeting: Meeting, steps: int) -> None:
        # One server loads torch once; every worker is a fork of it, made before it has threads.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["netwright.run.workers.process"])
        self.processes: list[BaseProcess] = []
        self.pipes: dict[Any, int] = {}
        try:
            for work in works:
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=child, args=(theirs, meeting, steps), daemon=True,
                    name=f"netwright worker {work.rank}",
                )  # fmt: skip
                process.start()
                theirs.close()
                self.processes.append(process)
                self.pipes[ours] = work.rank
            for (pipe, rank), work in zip(self.pipes.items(), works, strict=True):
                self._hand_over(pipe, rank, work)
        except BaseException:
            self.end()
            raise

    def _hand_over(self, pipe: Connection, rank: int, work: Work) -> None:
        try:
            pipe.send(work)
        except (BrokenPipeError, ConnectionError) as error:
            raise RunError(f"worker {rank} ended before it had its work ({error})") from error

    def watch(self, told: Told, timeout_seconds: float) -> None:
        """Until every worker has said that it is done."""
        busy = dict(self.pipes)
        while busy:
            ready = wait(list(busy), timeout_seconds)
            if not ready:
                silent = ", ".join(f"worker {rank}" for rank in busy.values())
                raise RunError(f"{silent}: no sign of life for {timeout_seconds:g} s")
            for pipe in ready:
                said = self._hear(pipe, busy[pipe])
                if isinstance(said, Failure):
                    raise RunError(self._first_cause(said, busy))
                if said is None:
                    del busy[pipe]
                else:
                    told(said)

    def _hear(self, pipe: Any, rank: int) -> StepReport | Failure | None:
        try:
            return pipe.recv()
        except (EOFError, ConnectionError):
            process = self.processes[rank]
            process.join(_GRACE_SECONDS)
            return Failure(rank, f"its process ended with code {process.exitcode}", False)

    def _first_cause(self, failure: Failure, busy: dict[Any, int]) -> str:
        """A lost link is the end of someone else: wait a little for who it was."""
        until = time.monotonic() + _GRACE_SECONDS
        while failure.lost_link and (left := until - time.monotonic()) > 0:
            others = [p for p, rank in busy.items() if rank != failure.rank]
            for pipe in wait(others, left):
                said = self._hear(pipe, busy[pipe])
                if isinstance(said, Failure):
                    del busy[pipe]
                    if not said.lost_link:
                        failure = said
                        break
        mute = [f"worker {rank}" for rank in busy.values() if rank != failure.rank]
        said_nothing = f"no word from {', '.join(mute)}; " if failure.lost_link and mute else ""
        return f"{said_nothing}worker {failure.rank}: {failure.cause}"

    def end(self) -> None:
        """Ends whoever is left, first politely."""
        for process in self.processes:
            process.join(0.5)
            if process.is_alive():
                process.terminate()
        for process in self.processes:
            process.join(_GRACE_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
        for pipe in self.pipes:
            pipe.close()
