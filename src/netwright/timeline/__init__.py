"""Spans, bytes, joules and peaks: what happened; compared, merged and verified."""

from netwright.timeline.compare import Comparison, Ratio, compare
from netwright.timeline.merge import concatenate
from netwright.timeline.timeline import Interval, MemorySample, Span, Timeline
from netwright.timeline.verify import verify_timeline

__all__ = [
    "Comparison",
    "Interval",
    "MemorySample",
    "Ratio",
    "Span",
    "Timeline",
    "compare",
    "concatenate",
    "verify_timeline",
]
