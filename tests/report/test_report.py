"""The page: complete in itself, well formed, and safe whatever the names are."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.report.sample import sample_run
from tests.report.strategies import runs
from typer import Typer
from typer.testing import CliRunner

from netwright.cli.report import report as command
from netwright.errors import ReportError
from netwright.report.html import html_page
from netwright.report.report import Report, report
from netwright.report.run_record import Figure, Run
from netwright.report.save import write_run
from netwright.report.summary import last_call, peaks_of, summary_of
from netwright.report.text import as_text
from netwright.timeline.compare import compare
from netwright.timeline.timeline import Span

VOID = {"meta", "link", "input"}


class Checker(HTMLParser):
    """Every element that opens closes, in order; collects attributes and elements."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    assert checker.tags.count("script") == 1
    assert not {"img", "iframe", "object", "embed", "base", "form"} & set(checker.tags)
    for name, value in checker.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "srcset", "action")
        assert name != "href" or value == "data:,"
    return checker


@settings(max_examples=20, deadline=None)
@given(runs())
def test_any_run_gives_a_page_that_is_well_formed_and_safe(run: Run) -> None:
    checked(html_page(run))
    as_text(run)


def test_the_page_fetches_nothing() -> None:
    page = html_page(sample_run())
    assert not re.search(r"https?:|//[a-z]|url\(|@import", page)
    assert "default-src 'none'" in page


def test_names_from_outside_are_shown_and_never_run() -> None:
    evil = '<script>alert("x")</script>'
    run = sample_run()
    spans = tuple(replace(s, name=evil, resource=evil, opcode=evil) for s in run.measured.spans)
    hostile = replace(
        run, network=evil, machine=evil, text=evil, plan={"explanation": evil}, roof=None,
        measured=replace(run.measured, spans=spans),
    )  # fmt: skip
    page = html_page(hostile)
    assert "<script>alert" not in page
    assert sum(evil in words for words in checked(page).words) >= 5


def test_rows_agree_with_compare() -> None:
    run = sample_run()
    summary = summary_of(run)
    oracle = compare(summary.predicted, summary.measured)
    ours = {
        (r.name, r.opcode): (r.predicted_seconds, r.measured_seconds) for r in summary.operators
    }
    theirs = {
        (r.name, r.opcode): (r.predicted_seconds, r.measured_seconds) for r in oracle.operators
    }
    assert ours == theirs


def test_a_traced_call_is_laid_over_the_last_predicted_one() -> None:
    run = sample_run()
    window = last_call(run.predicted, run.measured)
    assert window is not None
    assert [s.name for s in window.spans] == [s.name for s in run.measured.spans]
    assert window.spans[0].start_seconds == 0.0
    assert window.seconds == pytest.approx(
        run.predicted.seconds - run.predicted.spans[-len(window.spans)].start_seconds
    )
    other = replace(run.measured, spans=(*run.measured.spans[1:], Span("cpu", "x", "y", 0.0, 0.0)))
    assert last_call(run.predicted, other) is None
    assert last_call(run.predicted, run.predicted) is None


def test_short_spans_are_drawn_as_one() -> None:
    run = sample_run()
    many = tuple(Span("cpu", f"n{i}", "copy", i * 1e-6, 1e-6) for i in range(50_000))
    page = html_page(replace(run, measured=replace(run.measured, spans=many, seconds=0.05)))
    assert page.count('class="span') < 5000
    assert "further operators" in page  # the table says what it leaves out


def test_peaks_are_the_figures_where_there_are_any() -> None:
    run = sample_run()
    assert peaks_of(run) == (188e6, 195e6)
    fewer = replace(run, figures=(Figure("peak_memory_bytes", 5.0, None),))
    assert peaks_of(fewer) == (5.0, 195e6)
    assert peaks_of(replace(run, figures=())) == (188e6, 195e6)
    bare = replace(run, predicted=replace(run.predicted, memory=()))
    assert "predicted peak" in html_page(bare)


def test_report_of_two_timelines(tmp_path: Path) -> None:
    run = sample_run()
    made = report(run.predicted, run.measured)
    page = made.save(tmp_path / "report.html")
    assert page.read_text() == made.html()
    assert [f.name for f in made.run.figures] == [
        "token_seconds", "peak_memory_bytes", "energy_joules",
    ]  # fmt: skip
    assert "generation, per token" in str(made)
    with pytest.raises(ReportError, match="swap the two"):
        report(run.measured, run.predicted)
    with pytest.raises(ReportError, match="cannot be written"):
        made.save(tmp_path)


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    write_run(sample_run(), tmp_path)
    app = Typer()
    app.command()(command)
    shown = CliRunner().invoke(app, [str(tmp_path)])
    assert shown.exit_code == 0
    assert "report.html" in shown.output
    assert (tmp_path / "report.html").is_file()
    printed = CliRunner().invoke(app, [str(tmp_path), "--json", "--out", str(tmp_path / "p.html")])
    assert json.loads(printed.output)["report"] == str(tmp_path / "p.html")
    assert (tmp_path / "p.html").read_text() == (tmp_path / "report.html").read_text()


@pytest.mark.browser
def test_chromium_draws_the_page(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed")
    page = Report(sample_run()).save(tmp_path / "report.html")
    # Sorts by name and by ratio, filters, points at a span; what it finds becomes the title.
    script = """<script>
      const seen = [], first = () => body.rows[0].cells[0].textContent;
      heads[0].firstElementChild.click(); seen.push(first());
      heads[3].firstElementChild.click(); seen.push(first());
      const box = document.getElementById("filter");
      box.value = "GLU"; box.dispatchEvent(new Event("input"));
      seen.push([...body.rows].filter(r => !r.hidden).length);
      const span = document.querySelector("svg .span");
      span.dispatchEvent(new PointerEvent("pointermove", {bubbles: true}));
      seen.push(tip.hidden ? "hidden" : "shown");
      seen.push(document.documentElement.scrollWidth <= innerWidth ? "fits" : "wide");
      document.title = seen.join("|");
    </script></body>"""
    page.write_text(page.read_text().replace("</body>", script))
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--no-first-run", "--window-size=500,900",
        f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
    ]  # fmt: skip
    drawn = subprocess.run(
        [chromium, *flags, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    title = re.search(r"<title>(.*?)</title>", drawn.stdout)
    assert title is not None
    assert title[1] == "blk.0.attention|output|30|shown|fits"
