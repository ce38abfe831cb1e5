"""The door to CP-SAT, which is an extra: loaded when a proof is asked for, never before."""

from __future__ import annotations

import importlib
from typing import Any

from netwright.errors import UnsupportedError


def cp_sat() -> Any:
    """OR-Tools' cp_model module.

    Raises:
        UnsupportedError: the package is not installed.
    """
    try:
        return importlib.import_module("ortools.sat.python.cp_model")
    except ImportError as error:
        raise UnsupportedError(
            "CP-SAT needs the package ortools, which is not installed: pip install netwright[solve]"
        ) from error
