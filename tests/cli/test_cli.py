"""Commands on networks made here: what they print, and how a bad file ends."""

from __future__ import annotations

import json
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from tests.frontends import tiny_models
from tests.fuzz.kind_onnx import small_models
from typer.testing import CliRunner, Result

from netwright.cli.app import app
from netwright.cli.main import main

MACHINE = "raspberry-pi-5"


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.write(tmp_path_factory.mktemp("cli") / "tiny.gguf", "llama")


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_models(tmp_path_factory.mktemp("cli"))[0]


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None:
        raise result.exception
    assert result.exit_code == 0
    return result


def test_graph_show(gguf: Path, onnx: Path) -> None:
    language = run("graph", "show", str(gguf)).stdout
    assert "Attention" in language
    assert "RmsNorm" in language
    assert "Conv" in run("graph", "show", str(onnx)).stdout


def test_plan_of_a_language_model(gguf: Path) -> None:
    sizes = ("--prompt", "8", "--tokens", "4")
    text = run("plan", str(gguf), "--machine", MACHINE, *sizes, "--json").stdout
    plan = json.loads(text)
    assert plan["machine"] == MACHINE
    assert plan["feasible"] is True
    entries = {p["entry"]: p for p in plan["predictions"]}
    assert entries.keys() == {"prefill", "decode", "verify"}
    for prediction in entries.values():
        assert 0 < prediction["bound_seconds"] <= prediction["seconds"]
        low, high = prediction["interval_seconds"]
        assert low <= prediction["seconds"] <= high
    assert plan["memory"]["bound_bytes"] <= plan["memory"]["scratch_bytes"]
    assert {d["subject"] for d in plan["decisions"]} >= {
        "precision",
        "order and addresses",
        "kernels of decode",
    }


def test_plan_of_a_convolution_network(onnx: Path) -> None:
    text = run("plan", str(onnx), "--machine", MACHINE, "--json").stdout
    plan = json.loads(text)
    assert [p["entry"] for p in plan["predictions"]] == ["forward"]
    assert run("plan", str(onnx), "--machine", MACHINE).stdout.startswith("forward: ")
    assert "precision" in run("plan", str(onnx), "--machine", MACHINE, "--explain").stdout


def test_machines_and_version() -> None:
    names = {m["name"] for m in json.loads(run("machine", "list", "--json").stdout)["machines"]}
    assert MACHINE in names
    assert run("--version").stdout.strip()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.gguf", None, "no such file"),
        ("bad.gguf", b"GGUF\x03\x00\x00\x00", "bad.gguf"),
        ("bad.onnx", b"\xff" * 40, "bad.onnx"),
        ("bad.txt", b"hello there, hello", "expected .gguf"),
        ("weights.pth", b"PK\x03\x04" + bytes(60), "weights.pth"),
    ],
)
def test_a_bad_file_is_one_message_and_code_2(
    name: str,
    content: bytes | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    for command in (["graph", "show"], ["plan", "--machine", MACHINE]):
        monkeypatch.setattr(sys, "argv", ["netwright", *command, str(path)])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "Error" in printed.err.split(":")[0]
        # The console wraps long paths; the message is one line but for that.
        assert message.replace(" ", "") in printed.err.replace("\n", "").replace(" ", "")
        assert "Traceback" not in printed.err


def test_an_unknown_machine_is_code_2(
    gguf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["netwright", "plan", str(gguf), "--machine", "abacus"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "abacus" in capsys.readouterr().err


def test_a_stream_that_lacks_letters_shows_question_marks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(raw, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["netwright", "run", "x"])

    def show() -> None:
        print("Ünï")

    monkeypatch.setattr("netwright.cli.main.__getattr__", lambda _: show)
    main()
    sys.stdout.flush()
    assert raw.getvalue() == b"?n?\n"
