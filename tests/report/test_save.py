"""A kept run comes back equal; a damaged folder is refused with the field's name."""

import contextlib
import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.sample import sample_run
from tests.report.strategies import runs

from netwright.errors import FormatError, ReportError
from netwright.machine.load import machine
from netwright.report.roof import roof_of
from netwright.report.run_record import Run, summarise
from netwright.report.save import load_run, save_run, write_run
from netwright.timeline.timeline import Timeline


@settings(max_examples=25, deadline=None)
@given(runs())
def test_round_trip(run: Run) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_run(run, Path(folder) / "kept")
        assert load_run(Path(folder) / "kept") == run


@dataclass(frozen=True)
class Figures:
    token_seconds: float | None

    def as_dict(self) -> dict[str, Any]:
        return {"token_seconds": self.token_seconds, "peak_memory_bytes": np.int64(5)}


@dataclass(frozen=True)
class Outcome:
    network: str
    machine: str
    predicted: Figures
    measured: Figures
    plan: dict[str, Any]
    predicted_timeline: Timeline
    measured_timeline: Timeline
    text: str | None
    outputs: dict[str, np.ndarray] | None


def outcome(sample: Run) -> Outcome:
    return Outcome(
        "net", "here", Figures(0.5), Figures(None),
        {"gap": float("inf"), "bound_seconds": np.float64(0.25), "shape": (1, 2)},
        sample.predicted, replace(sample.measured, spans=sample.measured.spans[::-1]), "said",
        {"logits": np.array([[1.0, np.nan, -3.0]], np.float32)},
    )  # fmt: skip


def test_an_outcome_is_kept(tmp_path: Path) -> None:
    sample = sample_run()
    known = machine("a100-sxm-40")
    saved = save_run(outcome(sample), tmp_path, known)
    assert load_run(tmp_path) == saved
    assert saved.plan == {"gap": None, "bound_seconds": 0.25, "shape": [1, 2]}
    assert [(f.name, f.predicted, f.measured) for f in saved.figures] == [
        ("token_seconds", 0.5, None),
        ("peak_memory_bytes", 5.0, 5.0),
    ]
    assert saved.measured == sample.measured  # put in order of start
    (output,) = saved.outputs
    assert (output.low, output.high, output.mean, output.not_finite) == (-3.0, 1.0, -1.0, 1)
    assert saved.roof == roof_of(known)
    # 1.555 TB/s and 312 Tflop/s in bf16: NVIDIA A100 datasheet.
    assert dict(saved.roof.operations_per_second)["bf16"] == pytest.approx(3.12e14)
    assert saved.roof.read_bytes_per_second == pytest.approx(1.555e12)


def test_samples_above_the_peak_are_read(tmp_path: Path) -> None:
    sample = sample_run()
    low = replace(sample, predicted=replace(sample.predicted, peak_memory_bytes=1))
    write_run(low, tmp_path)
    assert load_run(tmp_path) == low


def test_arrays_without_numbers_are_described() -> None:
    assert summarise("words", np.array(["a"])).low is None
    assert summarise("empty", np.zeros((0, 3))).shape == (0, 3)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"):
        write_run(sample_run(), tmp_path / "file" / "run")


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        write_run(sample_run(), Path(folder))
        return {p.name: json.loads(p.read_text()) for p in Path(folder).iterdir()}


@pytest.mark.parametrize(
    ("file", "field", "value", "said"),
    [
        ("run.json", "version", 99, "version"),
        ("run.json", "network", 5, "network: got 5, expected a string"),
        ("run.json", "figures", [["a", 1]], r"figures\[0\]"),
        ("run.json", "outputs", [["o", [-1], "f", 0, 0, 0, 0]], r"outputs\[0\]"),
        ("run.json", "roof", {"machine": "m"}, "roof"),
        ("run.json", "plan", [], "plan"),
        ("measured.json", "spans", [[0, 0, 10**9, 0, 0, 0, 0, None, None]], "index below"),
        ("measured.json", "spans", [[True, 0, 0, 0, 0, 0, 0, None, None]], r"spans\[0\]"),
        ("measured.json", "spans", [[0, 0, 0, -1, 0, 0, 0, None, None]], "at least 0"),
        ("measured.json", "spans", [[0]], "expected 9 values"),
        ("measured.json", "seconds", 10**400, "seconds"),
        ("measured.json", "origin", "simulated", "origin"),
        ("predicted.json", "peak_memory_bytes", -1, "peak_memory_bytes"),
        ("predicted.json", "interval", [2, 1, 0.5], "interval"),
        ("predicted.json", "names", None, "names"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(
    tmp_path: Path, documents: dict[str, Any], file: str, field: str, value: object, said: str
) -> None:
    for name, document in documents.items():
        changed = {**document, field: value} if name == file else document
        (tmp_path / name).write_text(json.dumps(changed))
    with pytest.raises(FormatError, match=said):
        load_run(tmp_path)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"[" * 100_000, b"NaN", b'{"version": 1'])
def test_what_is_not_json_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "run.json").write_bytes(raw)
    with pytest.raises(FormatError, match=r"run\.json"):
        load_run(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        load_run(tmp_path)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_damage_is_an_error_of_ours(documents: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["run.json", "measured.json"]))
    field = data.draw(st.sampled_from(sorted(documents[name])))
    junk = data.draw(st.sampled_from([None, -1, 1.5, "x", [], [[]], {}, {"a": 1}, [None], True]))
    with tempfile.TemporaryDirectory() as folder:
        for other, document in documents.items():
            changed = {**document, field: junk} if other == name else document
            (Path(folder) / other).write_text(json.dumps(changed))
        with contextlib.suppress(FormatError):
            load_run(Path(folder))
