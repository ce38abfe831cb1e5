"""The table of surrogates printed as C++ and as Triton, so that no formula is written twice.

Run as a module it prints `native/spikes/surrogate_table.hpp`, or with the argument `triton`
`learn/surrogate_triton.py`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

from netwright.learn.surrogate import FORMULAS

_OPERATORS: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}


@final
@dataclass(frozen=True, slots=True)
class Language:
    """How functions and numbers are spelled."""

    functions: Mapping[str, str]
    number: Callable[[float], str]


CPP = Language(
    {"abs": "abs", "exp": "plain_exp", "square": "squared", "where": "select"}, lambda v: f"{v!r}f"
)
TRITON = Language(
    {"abs": "tl.abs", "exp": "tl.exp", "square": "_squared", "where": "tl.where"}, repr
)


def written(text: str, language: Language) -> str:
    """A formula's text in another language, with every operation in brackets."""
    return _written(ast.parse(text, mode="eval").body, language)


def _written(node: ast.expr, language: Language) -> str:
    match node:
        case ast.BinOp(left, operator, right):
            sign = _OPERATORS[type(operator)]
            return f"({_written(left, language)} {sign} {_written(right, language)})"
        case ast.UnaryOp(ast.USub(), operand):
            return f"(-{_written(operand, language)})"
        case ast.Compare(left, [ast.Lt()], [right]):
            return f"({_written(left, language)} < {_written(right, language)})"
        case ast.Call(ast.Name(name), arguments):
            given = ", ".join(_written(a, language) for a in arguments)
            return f"{language.functions[name]}({given})"
        case ast.Name(name):
            return name
        case ast.Constant(float(value)):
            return language.number(value)
        case _:
            raise TypeError(f"surrogate: {ast.unparse(node)!r} has no spelling elsewhere")


def cpp_header() -> str:
    """`native/spikes/surrogate_table.hpp`."""
    lines = [
        "// Printed by netwright.learn.surrogate_text from learn/surrogate.py: do not edit.",
        "#pragma once",
        "",
        '#include "spikes/surrogate.hpp"',
        "",
        "namespace netwright::NETWRIGHT_ISA {",
        "",
        "// visit(slope) with slope(x, a) of this code; false when there is no such surrogate.",
        "template <class Visit>",
        "bool with_surrogate(int code, Visit&& visit) {",
        "  switch (code) {",
    ]
    for formula in FORMULAS:
        slope = written(formula.slope, CPP)
        lines += [
            f"    case {formula.code}:  // {formula.name}",
            f"      visit([](Vec x, Vec a) NETWRIGHT_ALWAYS {{ return {slope}; }});",
            "      return true;",
        ]
    lines += [
        "    default: return false;",
        "  }",
        "}",
        "",
        "}  // namespace netwright::NETWRIGHT_ISA",
    ]
    return "\n".join(lines) + "\n"


def triton_module() -> str:
    """`learn/surrogate_triton.py`."""
    lines = [
        '"""Slopes in Triton. Printed by surrogate_text from surrogate.py: do not edit."""',
        "",
        "from __future__ import annotations",
        "",
        "import triton",
        "import triton.language as tl",
        "",
        "",
        "@triton.jit()",
        "def _squared(x: tl.tensor) -> tl.tensor:",
        "    return x * x",
        "",
        "",
        "@triton.jit()",
        "def slope(x: tl.tensor, a: tl.tensor, CODE: tl.constexpr) -> tl.tensor:",
        '    """The slope of surrogate CODE at x with sharpness a."""',
    ]
    for formula in FORMULAS:
        word = "if" if formula.code == 0 else "elif"
        word = "else" if formula is FORMULAS[-1] else f"{word} CODE == {formula.code}"
        lines.append(f"    {word}:  # {formula.name}")
        lines.append(f"        found = {written(formula.slope, TRITON)}")
    return "\n".join([*lines, "    return found"]) + "\n"


if __name__ == "__main__":
    print(triton_module() if sys.argv[1:] == ["triton"] else cpp_header(), end="")
