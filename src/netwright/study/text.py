"""Findings and results as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from netwright.study.claim import Finding, Verdict
from netwright.study.result import Result


def figure_text(figure: float, unit: str) -> str:
    """A figure with its unit; ratios and counts have none."""
    number = f"{figure:.0f}" if figure == round(figure) and abs(figure) < 1e6 else f"{figure:.4g}"
    return number if unit == "1" else f"{number} {unit}"


def finding_lines(found: Finding) -> Iterator[str]:
    """What was claimed, what was found, whether that bears it out."""
    claim = found.claim
    yield f"{claim.text} ({claim.where})"
    yield (
        f"  published {figure_text(claim.published, claim.unit)},"
        f" here {figure_text(found.figure, claim.unit)}"
        f" (accepted {claim.accepted}): {found.verdict}"
    )
    why = claim.fails if found.verdict is Verdict.DOES_NOT_HOLD else claim.smaller
    memory = "" if claim.checked else "not judged: the paper's figure is known from memory alone"
    for line in (memory, why, found.note):
        if line:
            yield f"  {line}"


def result_lines(result: Result) -> Iterator[str]:
    """The verdict, what was left out, and what the study has no word for."""
    yield (
        f"{result.key}: {result.verdict}; {result.tally} claims shown hold"
        f" ({result.wall_seconds:.1f} s, {result.cpu_seconds:.1f} CPU s)"
    )
    for text in result.left_out:
        yield f"  not shown in the reduced form: {text}"
    for row in result.rows:
        if row.clock and not result.full:
            yield f"  not judged in the reduced form, for it rests on the clock: {row.claim}"
    for row in result.unexplained:
        what = "holds, and the study says why it would not" if row.why else "is not explained"
        yield f"  ERROR: {row.claim!r}: {row.verdict}, which {what}"
