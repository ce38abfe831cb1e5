"""The main path, its verbs chained: source → plan (kept between runs) → run → outcome."""
