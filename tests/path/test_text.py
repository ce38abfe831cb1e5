"""What a text asks of the planner."""

from __future__ import annotations

from typing import Any

import pytest

from netwright.errors import JobError
from netwright.job.job import Generate
from netwright.path import text
from netwright.path.prepare import Request
from netwright.path.text import CONTEXT_STEP, TextOptions, job_for, open_session


def test_contexts_come_in_steps() -> None:
    jobs = [job_for(n, TextOptions(tokens=10)) for n in (1, CONTEXT_STEP - 10, CONTEXT_STEP - 9)]
    assert [job.prompt + job.tokens for job in jobs] == [
        CONTEXT_STEP,
        CONTEXT_STEP,
        2 * CONTEXT_STEP,
    ]


def test_threads_must_be_some() -> None:
    with pytest.raises(JobError, match="threads: got 0, expected at least 1"):
        job_for(5, TextOptions(threads=0))


def test_a_context_that_is_no_step_is_asked_for_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Generate] = []

    def refuse(request: Request, progress: object) -> Any:
        assert isinstance(request.job, Generate)
        asked.append(request.job)
        raise JobError(f"context of {len(asked)}")

    monkeypatch.setattr(text, "prepare", refuse)
    with pytest.raises(JobError, match="context of 2"):
        open_session("some.gguf", range(30), None, TextOptions(tokens=10), text.silent)  # type: ignore[arg-type]
    assert [job.prompt + job.tokens for job in asked] == [CONTEXT_STEP, 40]
