"""Native logits stay within the stated bound of float64 in every format (docs/formats.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.run.logit_bounds import FORMATS, SIZES, bound, measure

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"


@pytest.mark.parametrize("form", FORMATS)
def test_native_logits_are_within_the_bound(form: str) -> None:
    found = measure(form)
    stated = bound(form, SIZES.layers)
    assert found.rms < stated
    assert found.largest < stated
    assert f"| `{form}` | {stated:.2g} |" in DOCS.read_text()
