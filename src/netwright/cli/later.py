"""What is imported when there is something to show: rich costs more than a small network's pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netwright.later import imports_of

if TYPE_CHECKING:
    pass

HOMES = {
    "TextOptions": "netwright.path.text",
    "machine": "netwright.machine.load",
    "new_bar": "netwright.cli.tables",
    "run_text": "netwright.path.text",
    "sampling": "netwright.run.generate.sampling",
    "save_run": "netwright.report.save",
    "show_outcome": "netwright.cli.tables",
}
__getattr__ = imports_of(__name__, HOMES)
