"""Every error that Netwright raises on purpose.

NetwrightError
├── FormatError        a file from outside is malformed, truncated, too large or refused
├── UnsupportedError   the thing is well formed, but no operator, kernel or format of ours covers it
├── GraphError         a graph is not valid
├── MachineError       a machine file or a probe is not valid
├── JobError           what is asked makes no sense for this graph (lengths, limits, inputs)
├── PlanError          no plan; `.infeasible` carries the reason as a value
├── ProgramError       a program is not valid
├── ReportError        a report cannot be made of what was given
├── StudyError         a study's file is not valid, or shows what it does not say
└── RunError           a runtime could not carry out a program

A message says what, where, got, expected, and what would help.
"""

from typing import final


class NetwrightError(Exception):
    """Base of every error that Netwright raises on purpose."""


@final
class FormatError(NetwrightError):
    """A file from outside is malformed, truncated, too large or refused."""


@final
class UnsupportedError(NetwrightError):
    """Well formed, but not covered: names the thing, the place and what would help."""


@final
class GraphError(NetwrightError):
    """A graph breaks one of its rules."""


@final
class MachineError(NetwrightError):
    """A machine file or a probe is not valid."""


@final
class JobError(NetwrightError):
    """A job does not fit the graph: lengths, limits or inputs."""


@final
class PlanError(NetwrightError):
    """There is no plan; the message carries demand, bound, gap and levers."""


@final
class ProgramError(NetwrightError):
    """A program breaks one of its rules."""


@final
class ReportError(NetwrightError):
    """A report cannot be made of what was given."""


@final
class StudyError(NetwrightError):
    """A study's file is not valid, or what it shows is not what it says."""


@final
class RunError(NetwrightError):
    """A runtime could not carry out a program."""
