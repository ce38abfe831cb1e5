"""Imports at first use, by an explicit table: what a run does not need, it does not load.

A module that sets `__getattr__ = imports_of({"make_plan": "netwright.plan.make"})` has the name
`make_plan` without having imported its home. The floors hold for such tables too
(tests/architecture reads them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def imports_of(module: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__`: each name is taken from its home when it is first asked for.

    A home is a module, or `module:name` where the name there is another.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, other = homes[name].partition(":")
        return getattr(import_module(home), other or name)

    return find
