"""Habits that keep the house in order: frozen values, explicit names, files of a size to read."""

import ast
from pathlib import Path

import netwright

SOURCE = Path(__file__).parents[2] / "src" / "netwright"
FILES = sorted(SOURCE.rglob("*.py"))
NOUNS = (
    "graph/graph.py",
    "graph/op.py",
    "graph/tensor.py",
    "job/job.py",
    "machine/machine.py",
    "plan/decision.py",
    "plan/plan.py",
    "program/program.py",
    "timeline/timeline.py",
)
FORBIDDEN = {"utils", "helpers", "common", "misc", "manager"}


def test_public_names_exist_and_are_sorted() -> None:
    names = list(netwright.__all__)
    assert names == sorted(names)
    assert len(names) <= 40
    assert all(hasattr(netwright, name) for name in names)


def test_values_that_cross_a_phase_are_frozen() -> None:
    for name in NOUNS:
        for node in ast.walk(ast.parse((SOURCE / name).read_text())):
            if not isinstance(node, ast.ClassDef):
                continue
            for decorator in node.decorator_list:
                text = ast.unparse(decorator)
                if text.startswith("dataclass"):
                    assert "frozen=True" in text, f"{name}:{node.lineno} {node.name}"


def test_no_word_without_meaning_in_file_names() -> None:
    for path in FILES:
        assert not FORBIDDEN & set(path.stem.split("_")), path


def test_files_stay_readable() -> None:
    for path in FILES:
        lines = path.read_text().count("\n")
        assert lines <= 400, f"{path} has {lines} lines: split it by idea"


def test_no_star_imports() -> None:
    for path in FILES:
        assert "import *" not in path.read_text(), path


def test_environment_steers_nothing() -> None:
    allowed = {"machine/cache_folder.py"}  # where the user's cache folder is
    for path in FILES:
        if str(path.relative_to(SOURCE)) not in allowed:
            assert "os.environ" not in path.read_text(), path
