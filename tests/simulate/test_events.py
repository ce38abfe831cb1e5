"""The event engine against a plain simulation in Python, and against laws."""

import heapq
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import ProgramError
from netwright.simulate.events import EventTasks, Transfers, occupy, play

INFINITY = float("inf")


def columns(
    seconds: list[float], resource: list[int], waits: list[list[int]], servers: list[int]
) -> EventTasks:
    starts = np.concatenate([[0], np.cumsum([len(w) for w in waits])]).astype(np.int64)
    return EventTasks(
        np.array(seconds, np.float64),
        np.array(resource, np.int32),
        starts,
        np.array(list(itertools.chain(*waits)), np.int32),
        np.array(servers, np.int32),
    )


def waits_of(tasks: EventTasks, t: int) -> list[int]:
    return tasks.wait[tasks.wait_start[t] : tasks.wait_start[t + 1]].tolist()


@st.composite
def task_graphs(draw: st.DrawFn) -> EventTasks:
    n = draw(st.integers(0, 30))
    servers = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    waits = [
        sorted(draw(st.sets(st.integers(0, t - 1), max_size=3))) if t else [] for t in range(n)
    ]
    seconds = [draw(st.sampled_from([0.0, 0.1, 0.25, 1.0, 1.7])) for _ in range(n)]
    resource = [draw(st.integers(0, len(servers) - 1)) for _ in range(n)]
    return columns(seconds, resource, waits, servers)


def reference(tasks: EventTasks) -> tuple[list[float], list[float]]:
    """A textbook discrete-event simulation: a heap of ends, queues of tasks, counts of servers."""
    n = len(tasks)
    start, end = [0.0] * n, [-1.0] * n
    free = tasks.servers.tolist()
    queues = [[t for t in range(n) if tasks.resource[t] == r] for r in range(len(free))]
    heap: list[tuple[float, int]] = []
    now = 0.0
    while True:
        for r, queue in enumerate(queues):
            while queue and free[r] and all(0 <= end[w] <= now for w in waits_of(tasks, queue[0])):
                t = queue.pop(0)
                free[r] -= 1
                start[t] = now
                heapq.heappush(heap, (now + float(tasks.seconds[t]), t))
        if not heap:
            return start, end
        now, t = heapq.heappop(heap)
        end[t] = now
        free[tasks.resource[t]] += 1


def critical_path(tasks: EventTasks, seconds: list[float]) -> float:
    longest: list[float] = []
    for t in range(len(tasks)):
        longest.append(seconds[t] + max((longest[w] for w in waits_of(tasks, t)), default=0.0))
    return max(longest, default=0.0)


@settings(max_examples=150, deadline=None)
@given(task_graphs())
def test_same_spans_as_the_reference(tasks: EventTasks) -> None:
    start, end = reference(tasks)
    swept = play(tasks)
    assert swept.start.tolist() == start
    assert swept.end.tolist() == end
    n = len(tasks)
    stepped = play(tasks, moves([0.0] * n, [INFINITY] * n, [[]] * n, []))
    assert stepped.start.tolist() == start
    assert stepped.end.tolist() == end


@settings(max_examples=60, deadline=None)
@given(task_graphs())
def test_laws_of_the_makespan(tasks: EventTasks) -> None:
    makespan = play(tasks).makespan_seconds
    assert makespan >= critical_path(tasks, tasks.seconds.tolist()) - 1e-9
    for r, servers in enumerate(tasks.servers):
        work = tasks.seconds[tasks.resource == r].sum()
        assert makespan >= work / servers - 1e-9
    assert makespan <= tasks.seconds.sum() + 1e-9


@settings(max_examples=60, deadline=None)
@given(task_graphs(), st.data())
def test_faster_tasks_in_order_are_never_later(tasks: EventTasks, data: st.DataObject) -> None:
    if len(tasks) == 0 or (tasks.servers > 1).any():
        return
    faster = tasks.seconds.copy()
    faster[data.draw(st.integers(0, len(tasks) - 1))] *= 0.5
    quick = play(EventTasks(faster, tasks.resource, tasks.wait_start, tasks.wait, tasks.servers))
    assert (quick.end <= play(tasks).end).all()


# Shared channels ---------------------------------------------------------------------------------


def fair_rates(paths: list[list[int]], limits: list[float], capacity: list[float]) -> list[float]:
    """Max-min fair rates by raising all unfrozen flows together; the definition, slowly."""
    rate = [0.0] * len(paths)
    open_flows = set(range(len(paths)))
    channels = range(len(capacity))

    def load(c: int) -> float:
        return sum(r for r, p in zip(rate, paths, strict=True) if c in p)

    while open_flows:
        users = [sum(1 for f in open_flows if c in paths[f]) for c in channels]
        room = [(capacity[c] - load(c)) / users[c] for c in channels if users[c]]
        rise = min([*room, *(limits[f] - rate[f] for f in open_flows)])
        for f in open_flows:
            rate[f] += rise
        full = {c for c in channels if load(c) >= capacity[c] * (1 - 1e-9)}
        open_flows -= {
            f for f in open_flows if full & set(paths[f]) or rate[f] >= limits[f] * (1 - 1e-9)
        }
    return rate


def moves(
    bytes_moved: list[float], limit: list[float], paths: list[list[int]], capacity: list[float]
) -> Transfers:
    starts = np.concatenate([[0], np.cumsum([len(p) for p in paths])]).astype(np.int64)
    return Transfers(
        np.array(bytes_moved, np.float64),
        np.array(limit, np.float64),
        starts,
        np.array(list(itertools.chain(*paths)), np.int32),
        np.array(capacity, np.float64),
    )


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_rates_are_max_min_fair(data: st.DataObject) -> None:
    capacity = data.draw(st.lists(st.sampled_from([1.0, 2.0, 3.0, 10.0]), min_size=1, max_size=4))
    n = data.draw(st.integers(1, 6))
    channels = st.sets(st.integers(0, len(capacity) - 1), min_size=1)
    paths = [sorted(data.draw(channels)) for _ in range(n)]
    limits = [data.draw(st.sampled_from([0.3, 1.0, INFINITY])) for _ in range(n)]
    rates = fair_rates(paths, limits, capacity)
    # All start together with bytes = rate, and so end together after one second: at these rates.
    tasks = columns([0.0] * n, list(range(n)), [[] for _ in range(n)], [1] * n)
    times = play(tasks, moves(rates, limits, paths, capacity))
    assert times.end == pytest.approx(np.ones(n))


@settings(max_examples=60, deadline=None)
@given(task_graphs(), st.data())
def test_shared_channel_conserves_bytes(tasks: EventTasks, data: st.DataObject) -> None:
    n = len(tasks)
    amounts = [data.draw(st.sampled_from([0.0, 0.5, 3.0])) for _ in range(n)]
    alone = [max(float(s), b / 2.0) for s, b in zip(tasks.seconds, amounts, strict=True)]
    times = play(tasks, moves(amounts, [INFINITY] * n, [[0]] * n, [2.0]))
    assert times.makespan_seconds >= sum(amounts) / 2.0 - 1e-9
    assert times.makespan_seconds >= critical_path(tasks, alone) - 1e-9
    assert times.makespan_seconds <= sum(alone) + 1e-9
    assert (times.end - times.start >= np.array(alone) - 1e-9).all()


def test_two_flows_share_then_one_has_all() -> None:
    tasks = columns([0.0, 0.0], [0, 1], [[], []], [1, 1])
    times = play(tasks, moves([1.0, 3.0], [INFINITY] * 2, [[0], [0]], [2.0]))
    assert times.end.tolist() == [1.0, 2.0]


def test_task_ends_with_the_longer_of_its_seconds_and_bytes() -> None:
    tasks = columns([5.0, 1.0], [0, 1], [[], []], [1, 1])
    times = play(tasks, moves([2.0, 4.0], [1.0, INFINITY], [[0], [0]], [3.0]))
    assert times.end.tolist() == [5.0, 2.0]


def test_waiting_for_a_later_task_is_fine() -> None:
    assert play(columns([1.0, 2.0], [0, 1], [[1], []], [1, 1])).start.tolist() == [2.0, 0.0]


def test_circle_is_named() -> None:
    tasks = columns([1.0, 1.0, 1.0], [0, 0, 1], [[], [2], [1]], [1, 1])
    with pytest.raises(ProgramError, match=r"2 of 3 tasks can never start, the first is 1"):
        play(tasks)


def test_times_of_nothing() -> None:
    assert play(columns([], [], [], [1])).makespan_seconds == 0.0


@pytest.mark.parametrize(
    ("seconds", "resource", "waits", "servers", "words"),
    [
        ([1.0], [2], [[]], [1], "resource that is not there"),
        ([1.0], [0], [[7]], [1], "waits for one that is not there"),
        ([float("nan")], [0], [[]], [1], "not a number"),
        ([1.0], [0], [[]], [0], "servers"),
    ],
)
def test_malformed_columns_are_refused(
    seconds: list[float],
    resource: list[int],
    waits: list[list[int]],
    servers: list[int],
    words: str,
) -> None:
    with pytest.raises(ProgramError, match=words):
        play(columns(seconds, resource, waits, servers))


# Memory ------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(1, 9)), max_size=12))
def test_occupancy_equals_a_scan(blocks: list[tuple[int, int, int]]) -> None:
    seconds: list[float] = []
    change: list[int] = []
    for start, length, size in blocks:
        seconds += [float(start), float(start + length + 1)]
        change += [size, -size]
    found = occupy(
        np.array(seconds), np.zeros(len(change), np.int32), np.array(change, np.int64), 1
    )
    at = [sum(z for s, d, z in blocks if s <= t <= s + d) for t in range(12)]
    assert found.peak_bytes[0] == max(at)
    assert (np.diff(found.seconds) >= 0).all()
    assert found.used_bytes[-1:].tolist() in ([0], [])
