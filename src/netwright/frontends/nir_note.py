"""The discretisation as a note in a NIR node: what NIR itself has no word for."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from enum import Enum
from typing import Any

from netwright.errors import FormatError, GraphError
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset

_ENUMS: dict[str, type[Method | Reset]] = {"method": Method, "reset": Reset}


def note_of(rule: Discretisation) -> str:
    """The rule as JSON."""
    values = {f.name: getattr(rule, f.name) for f in fields(rule)}
    return json.dumps({k: v.value if isinstance(v, Enum) else v for k, v in values.items()})


def noted_rule(note: str, rule: Discretisation, where: str) -> Discretisation:
    """`rule` with what the note says instead.

    Raises:
        FormatError: the note is no JSON of known fields with sensible values.
    """
    kinds: dict[str, Any] = {f.name: getattr(rule, f.name) for f in fields(rule)}
    try:
        given = json.loads(note)
        changed: dict[str, Any] = {}
        for key, value in given.items():
            if key not in kinds:
                raise FormatError(f"{where}: the note has {key!r}, which is not known here")
            expected = kinds[key]
            if key in _ENUMS:
                value = _ENUMS[key](value)
            elif isinstance(expected, bool | int) and type(value) is not type(expected):
                raise FormatError(f"{where}: the note's {key} is {value!r}")
            elif isinstance(expected, float) or expected is None:
                value = None if value is None and expected is None else float(value)
            changed[key] = value
        return replace(rule, **changed)
    except (ValueError, TypeError, AttributeError, RecursionError, GraphError) as error:
        raise FormatError(f"{where}: the note cannot be read ({error}); write it anew") from error
