"""Many studies: each in a process of its own, with a limit of time; side by side, or over Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, final

from netwright.errors import StudyError
from netwright.study.find import Entry
from netwright.study.result import Result, result_of


@final
@dataclass(frozen=True, slots=True)
class Ended:
    """How a study's process ended: with a result, or with words that say why there is none."""

    entry: Entry
    result: Result | None
    error: str = ""


@final
@dataclass(frozen=True, slots=True)
class Order:
    """How to run them: in full or reduced, seconds each may take, how many side by side."""

    full: bool
    limit_seconds: float
    jobs: int = 1
    ray: bool = False


Began = Callable[[Entry], None]


def run_all(entries: Sequence[Entry], order: Order, began: Began) -> Iterator[Ended]:
    """Each as it ends. Those that rest on the clock come last, one at a time.

    Raises:
        StudyError: Ray is wanted and missing.
    """
    together = [one for one in entries if not one.clock]
    alone = [one for one in entries if one.clock]
    if order.ray:
        yield from _over_ray(together, order, began)
    else:
        with ThreadPoolExecutor(max(1, order.jobs)) as pool:
            futures = [pool.submit(_started, one, order, began) for one in together]
            for future in as_completed(futures):
                yield future.result()
    for one in alone:
        yield _started(one, order, began)


def _started(entry: Entry, order: Order, began: Began) -> Ended:
    began(entry)
    return in_process(entry, order)


def in_process(entry: Entry, order: Order) -> Ended:
    """Runs one in a process of its own; what it leaves behind is ended with it."""
    command = [sys.executable, "-m", "netwright", "study", "run", str(entry.path), "--json"]
    if not order.full:
        command.append("--reduced")
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, err = child.communicate(timeout=order.limit_seconds)
    except subprocess.TimeoutExpired:
        return Ended(entry, None, f"took more than {order.limit_seconds:g} s and was ended")
    finally:
        _end(child)
    try:
        return Ended(entry, result_of(json.loads(out)))
    except ValueError:
        words = err.strip().splitlines()
        return Ended(entry, None, words[-1] if words else f"ended with {child.returncode}")


def _end(child: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


def _over_ray(entries: Sequence[Entry], order: Order, began: Began) -> Iterator[Ended]:
    """One task a study, a processor each; Ray starts a lost one again elsewhere."""
    try:
        ray: Any = import_module("ray")
    except ModuleNotFoundError as error:
        raise StudyError("--ray needs Ray: pip install 'netwright[cluster]'") from error
    mine = not ray.is_initialized()
    if mine:
        ray.init(log_to_driver=False)  # takes the cluster of RAY_ADDRESS, or starts one here
    try:
        task = ray.remote(num_cpus=1, max_retries=2)(in_process)
        waiting = {task.remote(one, order): one for one in entries}
        for one in entries:
            began(one)
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1)
            entry = waiting.pop(ready[0])
            try:
                yield ray.get(ready[0])
            except ray.exceptions.RayError as error:
                yield Ended(entry, None, f"Ray: {error}")
    finally:
        if mine:
            ray.shutdown()
