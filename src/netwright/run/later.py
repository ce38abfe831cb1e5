"""What only a look inside a call needs: imported at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netwright.later import imports_of

if TYPE_CHECKING:
    pass

HOMES = {
    "ChatTemplate": "netwright.run.generate.chat",
    "Span": "netwright.timeline.timeline",
    "Timeline": "netwright.timeline.timeline",
}
__getattr__ = imports_of(__name__, HOMES)
