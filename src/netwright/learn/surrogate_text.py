"""The table of surrogates printed as C++ and as Triton, so that no formula is written twice.

Run as a module it prints `native/spikes/surrogate_table.hpp`.
"""

from __future__ import annotations

import ast
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


if __name__ == "__main__":
    print(cpp_header(), end="")
