"""Number formats: one family a file."""

from netwright.graph.format.base import Format as Format
