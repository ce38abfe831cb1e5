"""Studies are found by being there: one file a paper, `studies/FAMILY/KEY.py`."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from netwright.errors import NetwrightError, StudyError
from netwright.study.study import Paper, Study

_PACKAGE = Path(__file__).resolve().parents[1]
# A checkout keeps them beside src/; a wheel carries them inside the package.
_HOMES = (_PACKAGE.parents[1] / "studies", _PACKAGE / "studies")
MOST_BYTES = 1 << 20


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """A study as its file tells without being run: key, family, paper, where it stands.

    `clock`: a claim of it rests on the clock, so it should have the machine to itself.
    """

    key: str
    family: str
    path: Path
    paper: Paper
    clock: bool


def home(folder: Path | None = None) -> Path:
    """The folder of the studies: the one given, or the one that came with the package.

    Raises:
        StudyError: there is none.
    """
    tried = _HOMES if folder is None else (folder,)
    for path in tried:
        if path.is_dir():
            return path
    raise StudyError(f"no studies at {tried[0]}; give their folder with --folder")


def find(folder: Path | None = None) -> tuple[Entry, ...]:
    """Every study, by family and key.

    Raises:
        StudyError: a file that is no study, or two with one key.
    """
    found = tuple(entry_of(path) for path in sorted(_files(home(folder))))
    keys = [one.key for one in found]
    for one in found:
        if keys.count(one.key) > 1:
            raise StudyError(f"{one.path}: another study is called {one.key!r} too")
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.glob("*/*.py"):
        if not path.name.startswith("_"):
            yield path


def pick(key: str, folder: Path | None = None) -> Entry:
    """The study of that key, or the one in that file.

    Raises:
        StudyError: there is none.
    """
    if key.endswith(".py"):
        return entry_of(Path(key))
    entries = find(folder)
    for one in entries:
        if one.key == key:
            return one
    close = [one.key for one in entries if key in one.key or one.key in key]
    hint = ", ".join(close) if close else "`netwright study list` shows them"
    raise StudyError(f"no study {key!r}; {'did you mean ' if close else ''}{hint}")


def entry_of(path: Path) -> Entry:
    """What a study's file says of itself, read and not run.

    Raises:
        StudyError: it cannot be read, or has no `Paper(...)` in literals.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise StudyError(f"{path}: more than {MOST_BYTES} bytes; a study is a short file")
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise StudyError(f"{path}: cannot be read as Python ({error})") from error
    call = _call(tree, "Paper")
    if call is None:
        raise StudyError(f"{path}: sets no `Paper(...)`; a study begins with the paper it shows")
    try:
        fields = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        paper = Paper(*(ast.literal_eval(value) for value in call.args), **fields)
    except (ValueError, TypeError) as error:
        raise StudyError(
            f"{path}:{call.lineno}: Paper takes title, authors, year, venue and link as literals"
            f" ({error})"
        ) from error
    key = path.stem.replace("_", "-")
    return Entry(key, path.resolve().parent.name, path, paper, _has_clock(tree))


def _call(tree: ast.AST, name: str) -> ast.Call | None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            return node
    return None


def _has_clock(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.keyword)
        and node.arg == "clock"
        and isinstance(node.value, ast.Constant)
        and node.value.value is True
        for node in ast.walk(tree)
    )


def load(entry: Entry) -> Study:
    """The study itself: its file is run.

    Raises:
        StudyError: the file fails, or sets no `study`, or something it needs is missing.
    """
    name = f"studies.{entry.path.resolve().parent.name}.{entry.path.stem}"
    spec = importlib.util.spec_from_file_location(name, entry.path)
    if spec is None or spec.loader is None:
        raise StudyError(f"{entry.path}: cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except NetwrightError:
        raise
    except ModuleNotFoundError as error:
        raise StudyError(
            f"{entry.path}: needs {error.name}, which is not installed; `make test` installs what"
            " studies need"
        ) from error
    except Exception as error:
        raise StudyError(f"{entry.path}: {type(error).__name__}: {error}") from error
    study = getattr(module, "study", None)
    if not isinstance(study, Study):
        raise StudyError(f"{entry.path}: sets no `study`, a netwright.study.Study")
    return study
