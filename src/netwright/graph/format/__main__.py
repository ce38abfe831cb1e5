"""Prints the table of formats as Markdown."""

import sys

from netwright.graph.format.table import table

sys.stdout.write(table())
