"""Runs of any content: names may hold anything, amounts anything finite."""

from hypothesis import strategies as st

from netwright.report.roof import Roof
from netwright.report.run_record import Figure, Json, Output, Run
from netwright.timeline.timeline import Interval, MemorySample, Span, Timeline

NAMES = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    st.sampled_from(["<script>alert(1)</script>", "\"><img src=x onerror=1>", "{{ 7 }}", "[red]"]),
)  # fmt: skip
AMOUNTS = st.floats(0, 1e18, allow_nan=False)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Json] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), NUMBERS, NAMES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    low, high = sorted((draw(AMOUNTS), draw(AMOUNTS)))
    return Interval(low, high, draw(st.floats(0, 1)))


@st.composite
def timelines(draw: st.DrawFn, origin: str) -> Timeline:
    spans = [
        Span(
            draw(NAMES), draw(NAMES), draw(NAMES), draw(AMOUNTS), draw(AMOUNTS), draw(AMOUNTS),
            draw(AMOUNTS), draw(st.none() | st.just(0.0)), draw(st.none() | intervals()),
        )
        for _ in range(draw(st.integers(0, 5)))
    ]  # fmt: skip
    spans.sort(key=lambda s: s.start_seconds)
    end = max((s.start_seconds + s.seconds for s in spans), default=draw(AMOUNTS))
    used = draw(st.lists(st.integers(0, 2**62), max_size=4))
    times = sorted(draw(AMOUNTS) for _ in used)
    return Timeline(
        draw(NAMES), origin, draw(NAMES), tuple(spans),
        tuple(MemorySample(draw(NAMES), t, b) for t, b in zip(times, used, strict=True)),
        end, max(used, default=draw(st.integers(0, 2**62))), draw(st.none() | AMOUNTS),
        draw(st.none() | intervals()), tuple(draw(st.lists(st.tuples(NAMES, NUMBERS), max_size=2))),
    )  # fmt: skip


def roofs() -> st.SearchStrategy[Roof]:
    rates = st.lists(st.tuples(NAMES, AMOUNTS), max_size=3).map(tuple)
    return st.builds(Roof, NAMES, NAMES, rates, NAMES, st.none() | AMOUNTS)


def runs() -> st.SearchStrategy[Run]:
    figures = st.builds(Figure, NAMES, st.none() | NUMBERS, st.none() | NUMBERS)
    optional = st.none() | NUMBERS
    shapes = st.lists(st.integers(0, 9), max_size=3).map(tuple)
    outputs = st.builds(
        Output, NAMES, shapes, NAMES, optional, optional, optional, st.integers(0, 9)
    )
    return st.builds(
        Run,
        NAMES,
        NAMES,
        st.lists(figures, max_size=4).map(tuple),
        st.dictionaries(NAMES, JSON, max_size=3),
        timelines("simulated"),
        timelines("measured"),
        st.none() | NAMES,
        st.lists(outputs, max_size=2).map(tuple),
        st.none() | roofs(),
    )
