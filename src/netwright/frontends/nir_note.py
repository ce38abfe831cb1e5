"""The discretisation as a note in a NIR node: what NIR itself has no word for."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from enum import Enum
from typing import Any, cast

from netwright.errors import FormatError, GraphError
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset

_ENUMS: dict[str, type[Method | Reset]] = {"method": Method, "reset": Reset}


def note_of(rule: Discretisation) -> str:
    """The rule as JSON."""
    values = {f.name: getattr(rule, f.name) for f in fields(rule)}
    return json.dumps({k: v.value if isinstance(v, Enum) else v for k, v in values.items()})


def noted_dt(note: str | None) -> float | None:
    """The seconds of a step that a note names; None where it does not (`noted_rule` complains)."""
    try:
        found: Any = json.loads(note or "null")
        return float(found["dt_seconds"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def noted_rule(note: str, rule: Discretisation, where: str) -> Discretisation:
    """`rule` with what the note says instead.

    Raises:
        FormatError: the note is no JSON of known fields with sensible values.
    """
    kinds: dict[str, Any] = {f.name: getattr(rule, f.name) for f in fields(rule)}
    try:
        given: dict[str, Any] = json.loads(note)
        changed: dict[str, Any] = {}
        for key, noted in given.items():
            if key not in kinds:
                raise FormatError(f"{where}: the note has {key!r}, which is not known here")
            changed[key] = _valued(key, noted, kinds[key], where)
        return replace(rule, **changed)
    except (ValueError, TypeError, AttributeError, RecursionError, GraphError) as error:
        raise FormatError(f"{where}: the note cannot be read ({error}); write it anew") from error


def _valued(key: str, noted: Any, expected: Any, where: str) -> Any:
    """What is noted in the type of what it replaces."""
    if key in _ENUMS:
        return _ENUMS[key](noted)
    if isinstance(expected, bool | int):
        if type(noted) is not type(expected):
            raise FormatError(f"{where}: the note's {key} is {noted!r}")
        return noted
    if noted is None and expected is None:
        return None
    return float(cast(float, noted))
