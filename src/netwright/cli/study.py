"""`netwright study`: what papers claim, shown again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from netwright.cli.screen import print_json, remark, say
from netwright.cli.tables import console, errors
from netwright.errors import StudyError
from netwright.study.execute import execute
from netwright.study.find import Entry, find, home, load, pick
from netwright.study.result import Result, write_result
from netwright.study.spread import Ended, Order, run_all
from netwright.study.standalone import show as show_line
from netwright.study.table import kept, readme, stale
from netwright.study.text import figure_text, result_lines

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Folder = Annotated[Path | None, typer.Option(help="where the studies are; else those shipped")]
Family = Annotated[str | None, typer.Option(help="only those of one family")]
Json = Annotated[bool, typer.Option("--json", help="print one object")]


@app.command("list")
def list_studies(family: Family = None, folder: Folder = None, json: Json = False) -> None:
    """Every study with the verdict of its last kept run."""
    where = home(folder)
    entries = _of(find(folder), family)
    results = {one.key: kept(where, one) for one in entries}
    if json:
        print_json({"studies": [_brief(one, results[one.key]) for one in entries]})
        return
    table = Table("family", "study", "paper", "verdict (claims that hold)", "in full")
    for one in entries:
        result = results[one.key]
        verdict = "not run in full yet" if result is None else f"{result.verdict} ({result.tally})"
        seconds = "" if result is None else f"{result.wall_seconds:.0f} s"
        table.add_row(
            one.family, one.key, f"{one.paper.title} ({one.paper.year})", verdict, seconds
        )
    console.print(table)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="a study's key, or its file")],
    folder: Folder = None,
    json: Json = False,
) -> None:
    """One study: paper, claims with their figures, what was found, known differences."""
    entry = pick(key, folder)
    study = load(entry)
    result = None if key.endswith(".py") else kept(home(folder), entry)
    if json:
        claims = [
            {
                "claim": claim.text,
                "where": claim.where,
                "published": claim.published,
                "accepted": str(claim.accepted),
                "unit": claim.unit,
                "smaller": claim.smaller,
                "fails": claim.fails,
                "clock": claim.clock,
            }
            for claim in study.claims
        ]
        print_json(
            {
                **_brief(entry, result),
                "shows": study.shows,
                "scale": study.scale,
                "differences": list(study.differences),
                "needs": list(study.needs),
                "claims": claims,
                "result": None if result is None else result.as_dict(),
            }
        )
        return
    for line in (entry.paper.citation, "", f"{study.shows} {study.scale}", ""):
        console.print(line, markup=False, soft_wrap=True)
    figures = {} if result is None else {row.claim: row for row in result.rows}
    table = Table("claim", "where", "published", "accepted", "here", "verdict")
    for claim in study.claims:
        row = figures.get(claim.text)
        here = "" if row is None else figure_text(row.figure, row.unit)
        verdict = "" if row is None else ": ".join(filter(None, (row.verdict, row.why)))
        published = figure_text(claim.published, claim.unit)
        table.add_row(claim.text, claim.where, published, str(claim.accepted), here, verdict)
    console.print(table)
    for line in study.differences:
        console.print(f"differs: {line}", markup=False, soft_wrap=True)
    if result is not None:
        old = "; of other claims than the study makes now" if stale(study, result) else ""
        console.print(f"run on {result.date}, {result.machine}{old}", markup=False)
    console.print(f"file: {entry.path}", markup=False, soft_wrap=True)


@app.command()
def run(
    key: Annotated[str | None, typer.Argument(help="a study's key, or its file")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="every study")] = False,
    family: Family = None,
    reduced: Annotated[bool, typer.Option("--reduced", help="what takes seconds only")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="keep the result beside the studies, and the table")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="with --all: how many side by side")] = 1,
    ray: Annotated[
        bool, typer.Option("--ray", help="with --all: spread over a Ray cluster")
    ] = False,
    limit: Annotated[float, typer.Option(min=1, help="with --all: seconds each may take")] = 3600,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Run one study, or all: what was claimed beside what is found here, as it is found."""
    if (key is None) == (not all_of_them and family is None):
        raise StudyError("run one study by its key, or give --all or --family, and not both")
    if keep and reduced:
        raise StudyError("--keep keeps full runs; leave out --reduced")
    if key is not None:
        result = _one(pick(key, folder), reduced, json)
        _keep(folder, [result] if keep else [])
        raise typer.Exit(bool(result.unexplained))
    ended = _all(_of(find(folder), family), Order(not reduced, limit, jobs, ray), json)
    results = [one.result for one in ended if one.result is not None]
    _keep(folder, results if keep else [])
    if json:
        print_json(
            {
                "studies": [one.as_dict() for one in results],
                "errors": {one.entry.key: one.error for one in ended if one.result is None},
            }
        )
    raise typer.Exit(len(results) < len(ended) or any(one.unexplained for one in results))


@app.command()
def table(folder: Folder = None) -> None:
    """Write README.md beside the studies: the table of all, from their kept results."""
    where = home(folder)
    path = where / "README.md"
    path.write_text(readme(where, find(folder)), encoding="utf-8")
    say(f"table: {path}")


def _of(entries: tuple[Entry, ...], family: str | None) -> tuple[Entry, ...]:
    found = tuple(one for one in entries if family in (None, one.family))
    if not found:
        families = ", ".join(sorted({one.family for one in entries}))
        raise StudyError(f"no study of family {family!r}; there are {families}")
    return found


def _brief(entry: Entry, result: Result | None) -> dict[str, Any]:
    return {
        "key": entry.key,
        "family": entry.family,
        "title": entry.paper.title,
        "citation": entry.paper.citation,
        "file": str(entry.path),
        "verdict": None if result is None else str(result.verdict),
        "claims_that_hold": None if result is None else result.tally,
        "seconds": None if result is None else result.wall_seconds,
    }


def _one(entry: Entry, reduced: bool, json: bool) -> Result:
    study = load(entry)
    if not json:
        say(f"{entry.paper.citation}\n{study.shows} {study.scale}\n")
    result = execute(entry.key, study, not reduced, (lambda _: None) if json else show_line)
    if json:
        print_json(result.as_dict())
    else:
        say("\n" + "\n".join(result_lines(result)))
    return result


def _all(entries: tuple[Entry, ...], order: Order, json: bool) -> list[Ended]:
    """Runs them and says of each how it ended; what runs now is on the error stream."""
    ended: list[Ended] = []
    running: dict[str, None] = {}
    with errors.status("") as status:

        def now() -> None:
            names = ", ".join(running)
            status.update(f"{len(ended)} of {len(entries)} done; running {names}")

        def began(entry: Entry) -> None:
            running[entry.key] = None
            now()

        for one in run_all(entries, order, began):
            ended.append(one)
            running.pop(one.entry.key, None)
            now()
            if not json:
                lines = [f"{one.entry.key}: ERROR: {one.error}"]
                for line in lines if one.result is None else result_lines(one.result):
                    console.print(line, markup=False, soft_wrap=True)
    return ended


def _keep(folder: Path | None, results: list[Result]) -> None:
    for result in results:
        path = write_result(home(folder) / "results", result)
        remark(f"kept: {path}; `netwright study table` writes the table anew")
