"""The code in docs/graph.md runs."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "graph.md"


def test_example_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(blocks) == 1
    names: dict[str, object] = {}
    exec(compile(blocks[0], str(DOCUMENT), "exec"), names)
    printed = capsys.readouterr().out
    assert "block layers x 12" in printed
    assert "w: q8_0 [out=64, width=64] 8.50 bits" in printed
    assert names["outputs"]["layers.x.out"].shape == (8, 64)
