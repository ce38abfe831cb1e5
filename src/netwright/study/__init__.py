"""A study: a runnable file that shows what a published paper claims, with figures and a verdict."""

from netwright.study.claim import Claim, Finding, Range, Verdict, at_least, at_most, exactly, near
from netwright.study.standalone import main
from netwright.study.study import Paper, Study

__all__ = [
    "Claim",
    "Finding",
    "Paper",
    "Range",
    "Study",
    "Verdict",
    "at_least",
    "at_most",
    "exactly",
    "main",
    "near",
]
