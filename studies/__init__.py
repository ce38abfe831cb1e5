"""Published claims, shown again: one runnable file a paper."""
