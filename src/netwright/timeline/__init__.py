"""Spans, bytes, joules and peaks: what happened; compared, merged and verified."""
