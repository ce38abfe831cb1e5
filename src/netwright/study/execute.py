"""Runs a study here, in this process: findings as they come, then the result."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime

from netwright import __version__
from netwright.errors import NetwrightError, StudyError
from netwright.machine.host import host
from netwright.study.claim import Finding
from netwright.study.result import Result, row_of
from netwright.study.study import Study

Heard = Callable[[Finding | str], None]


def execute(key: str, study: Study, full: bool, heard: Heard) -> Result:
    """Runs it; `heard` gets each finding and each line of text when it comes.

    Raises:
        StudyError: it fails, shows what it does not claim, one claim twice, or, in full, not all.
    """
    found: list[Finding] = []
    began, began_cpu = time.monotonic(), _cpu_seconds()
    try:
        for one in study.show(full):
            if isinstance(one, Finding):
                _check(key, study, found, one)
                found.append(one)
            heard(one)
    except NetwrightError:
        raise
    except Exception as error:
        raise StudyError(f"study {key}: {type(error).__name__}: {error}") from error
    shown = {one.claim for one in found}
    left_out = tuple(claim.text for claim in study.claims if claim not in shown)
    if not found or (full and left_out):
        raise StudyError(f"study {key}: shows nothing of {'; '.join(left_out)!r}")
    machine = host()
    return Result(
        key=key,
        full=full,
        rows=tuple(row_of(one) for one in found),
        left_out=left_out,
        wall_seconds=time.monotonic() - began,
        cpu_seconds=_cpu_seconds() - began_cpu,
        machine=f"{machine.processors} x {machine.processor}",
        version=__version__,
        date=datetime.now(UTC).date().isoformat(),
    )


def _check(key: str, study: Study, found: list[Finding], one: Finding) -> None:
    if one.claim not in study.claims:
        raise StudyError(f"study {key}: shows {one.claim.text!r}, which is not among its claims")
    if any(one.claim == other.claim for other in found):
        raise StudyError(f"study {key}: shows {one.claim.text!r} twice")


def _cpu_seconds() -> float:
    """Processor seconds of this process and of the children that have ended."""
    ours, others = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return ours.ru_utime + ours.ru_stime + others.ru_utime + others.ru_stime
