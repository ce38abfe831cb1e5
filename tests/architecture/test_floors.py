"""Imports go down only (docs/design.md draws the floors)."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "netwright"

# Lowest first; the packages of one floor do not import each other.
FLOORS = (
    ("errors", "later"),
    ("native",),
    ("graph",),
    ("frontends", "machine", "job", "timeline", "program"),
    ("cost",),
    ("transform",),
    ("plan",),
    ("simulate", "run"),
    ("learn", "serve", "search", "emit"),
    ("report",),
    ("path",),
    ("study",),
    ("cli",),
)
LEVEL = {package: level for level, floor in enumerate(FLOORS) for package in floor}
# The one upward door: Program's verbs (docs/design.md says why).
DOORS = {"program/verbs.py"}


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def own_imports(tree: ast.AST) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("netwright"):
            parts = node.module.split(".")
            names = [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
            found += [(node.lineno, name) for name in names]
        elif isinstance(node, ast.Import):
            found += [
                (node.lineno, alias.name.split(".")[1])
                for alias in node.names
                if alias.name.startswith("netwright.")
            ]
    return found


def type_checking_lines(path: Path) -> set[int]:
    """Lines that only type checkers see."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


DOORWAYS = (SOURCE / "__init__.py", SOURCE / "__main__.py")
FILES = [p for p in sorted(SOURCE.rglob("*.py")) if p not in DOORWAYS]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_down(path: Path) -> None:
    if str(path.relative_to(SOURCE)) in DOORS:
        return
    here = package_of(path)
    assert here in LEVEL, f"{here} has no floor; add it to FLOORS and to docs/design.md"
    for line, name in own_imports(ast.parse(path.read_text())):
        if name in (here, "core", "__version__"):
            continue
        if line in type_checking_lines(path):
            continue
        assert name in LEVEL, f"{path}:{line} imports {name}, which has no floor"
        assert LEVEL[name] < LEVEL[here], f"{path}:{line}: {here} may not import {name}"


def homes(path: Path) -> list[str]:
    """Modules of ours that a file names in a table `HOMES`, to be imported at first use."""
    return [
        node.value.partition(":")[0]
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        and "HOMES" in ast.unparse(statement).split("=")[0]
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and str(node.value).startswith("netwright.")
    ]


@pytest.mark.parametrize(
    "path", [p for p in FILES if homes(p)], ids=lambda p: str(p.relative_to(SOURCE))
)
def test_imports_at_first_use_go_down_too(path: Path) -> None:
    here = package_of(path)
    for module in homes(path):
        name = module.split(".")[1]
        assert name == here or LEVEL[name] < LEVEL[here], f"{path}: {here} may not import {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_own_imports_inside_functions(path: Path) -> None:
    if str(path.relative_to(SOURCE)) in DOORS:
        return
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            assert not own_imports(function), f"{path}:{function.lineno} imports inside a function"
