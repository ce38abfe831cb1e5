"""`studies/README.md`: the table of all studies, made from their files and their kept results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from netwright.errors import StudyError
from netwright.study.find import Entry, load
from netwright.study.result import Result, Row, read_result
from netwright.study.study import Study
from netwright.study.text import figure_text

HEAD = """# Studies

A published paper is a short runnable file: what it claims, what is shown here, and whether that
bears it out ([more](../docs/studies.md)). `netwright study run KEY` runs one, `netwright study
show KEY` tells all of it, `make studies` runs all in full. This file is made by `netwright study
table` from the studies and their kept results; what stands under "here" was measured or computed
in that run.
"""


def kept(folder: Path, entry: Entry) -> Result | None:
    """The last kept result of a study, if there is one.

    Raises:
        StudyError: the file is no result.
    """
    path = folder / "results" / f"{entry.key}.json"
    return read_result(path) if path.exists() else None


def stale(study: Study, result: Result) -> bool:
    """Whether the result is of other claims than the study makes now."""
    now = {(c.text, c.where, c.published, str(c.accepted)) for c in study.claims}
    then = {(row.claim, row.where, row.published, row.accepted) for row in result.rows}
    return now != then or not result.full


def readme(folder: Path, entries: Sequence[Entry]) -> str:
    """The whole file.

    Raises:
        StudyError: a result is missing or of other claims; run that study with --keep.
    """
    overview: list[str] = []
    details: list[str] = []
    for entry in entries:
        study, result = load(entry), kept(folder, entry)
        if result is None or stale(study, result):
            what = "no kept result" if result is None else "a kept result of other claims"
            raise StudyError(f"{entry.key}: {what}; `netwright study run {entry.key} --keep`")
        overview.append(_line(folder, entry, study, result))
        details += _claims(entry, result)
    return "\n".join(
        [
            HEAD,
            "| family | study | paper | what is shown, at what scale | verdict |",
            "| --- | --- | --- | --- | --- |",
            *overview,
            "",
            "## Claim by claim",
            "",
            "| study | claim | where | published | here (accepted) | verdict |",
            "| --- | --- | --- | --- | --- | --- |",
            *details,
            "",
        ]
    )


def _line(folder: Path, entry: Entry, study: Study, result: Result) -> str:
    link = entry.path.resolve().relative_to(folder.resolve())
    verdict = f"{result.verdict} ({result.tally} claims)"
    paper = f"[{entry.paper.title}]({entry.paper.link}), {entry.paper.year}"
    cells = (entry.family, f"[{entry.key}]({link})", paper, f"{study.shows} {study.scale}", verdict)
    return _row(cells)


def _claims(entry: Entry, result: Result) -> Iterator[str]:
    for row in result.rows:
        yield _row(
            (
                entry.key,
                row.claim,
                row.where,
                figure_text(row.published, row.unit),
                f"{figure_text(row.figure, row.unit)} ({row.accepted})",
                _verdict(row),
            )
        )


def _verdict(row: Row) -> str:
    if not row.checked:
        return "not judged (the paper's figure is known from memory alone)"
    return ": ".join(part for part in (str(row.verdict), row.why) if part)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
