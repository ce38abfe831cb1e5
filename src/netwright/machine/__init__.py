"""Machine files and probes → Machine: units, memories, links, each number with its source."""
