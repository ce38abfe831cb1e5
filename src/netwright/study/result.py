"""What a run of a study found, as it is kept: plain values, one JSON file a study."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from pydantic import TypeAdapter

from netwright.errors import StudyError
from netwright.study.claim import Finding, Verdict, overall

MOST_BYTES = 4 << 20


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One finding: the claim's figure beside ours."""

    claim: str
    where: str
    unit: str
    published: float
    accepted: str
    figure: float
    verdict: Verdict
    explained: bool
    why: str
    note: str
    clock: bool
    checked: bool = True

    @property
    def of_the_paper(self) -> bool:
        """Whether the paper says it, in words that were read."""
        return self.checked and not self.where.startswith("ours")


@final
@dataclass(frozen=True, slots=True)
class Result:
    """A run: its findings, how long it took, on what. `left_out`: claims that it did not show."""

    key: str
    full: bool
    rows: tuple[Row, ...]
    left_out: tuple[str, ...]
    wall_seconds: float
    cpu_seconds: float
    machine: str
    version: str
    date: str

    @property
    def verdict(self) -> Verdict:
        """The worst of what the paper claims; of all findings where it claims none of them."""
        rows = self.judged or self.rows
        return overall(
            tuple(r.verdict for r in rows if r.of_the_paper) or tuple(r.verdict for r in rows)
        )

    @property
    def judged(self) -> tuple[Row, ...]:
        """What was read, not remembered; in the reduced form nothing that rests on the clock."""
        return tuple(row for row in self.rows if row.checked and (self.full or not row.clock))

    @property
    def tally(self) -> str:
        """How many of the findings that are judged hold: "5 of 6"."""
        holding = sum(row.verdict is not Verdict.DOES_NOT_HOLD for row in self.judged)
        return f"{holding} of {len(self.judged)}"

    @property
    def unexplained(self) -> tuple[Row, ...]:
        """Findings that the study has no word for; the clock is judged in full runs only."""
        return tuple(row for row in self.rows if not row.explained and (self.full or not row.clock))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; figures that are no numbers are null."""
        plain: dict[str, Any] = {**asdict(self), "verdict": str(self.verdict)}
        plain["rows"] = [
            {name: _plain(value) for name, value in row.items()} for row in plain["rows"]
        ]
        return plain


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def row_of(found: Finding) -> Row:
    """A finding in plain values."""
    claim = found.claim
    verdict = found.verdict
    why = claim.fails if verdict is Verdict.DOES_NOT_HOLD else claim.smaller
    return Row(
        claim.text, claim.where, claim.unit, claim.published, str(claim.accepted), found.figure,
        verdict, found.explained, why, found.note, claim.clock, claim.checked,
    )  # fmt: skip


def write_result(folder: Path, result: Result) -> Path:
    """Keeps it as `FOLDER/KEY.json`.

    Raises:
        StudyError: the file cannot be written.
    """
    path = folder / f"{result.key}.json"
    text = json.dumps(result.as_dict(), indent=1, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{path}: cannot be written ({error.strerror})") from error
    return path


def read_result(path: Path) -> Result:
    """A kept result.

    Raises:
        StudyError: it cannot be read or is none.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise StudyError(f"{path}: more than {MOST_BYTES} bytes; delete it and run the study")
        return result_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StudyError(f"{path}: no result of a study ({error}); run the study again") from error


def result_of(plain: Mapping[str, Any]) -> Result:
    """A result from the plain values of `as_dict`.

    Raises:
        ValueError: they are not those of a result.
    """
    fields = {name: value for name, value in plain.items() if name != "verdict"}
    fields["rows"] = [
        {**row, "figure": math.nan if row.get("figure") is None else row["figure"]}
        for row in fields.get("rows", ())
    ]
    return TypeAdapter(Result).validate_python(fields)
