"""The simulator against an emulation of the virtual machine's threads, and against sums."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulate.programs import PAST, growing, program, rows, task

from netwright.errors import ProgramError
from netwright.job.job import Generate
from netwright.machine.load import library_machine
from netwright.program.footprint import beside_bytes
from netwright.program.program import Program, Task
from netwright.simulate import Simulation, TaskCost, simulate, simulate_call, simulate_generate
from netwright.timeline.verify import verify_timeline

AT = {"n_past": 0, "n_tokens": 1}


def on(made: Program) -> Simulation:
    return Simulation(made, "nowhere", tuple((e.name, growing) for e in made.entries))


def emulate(tasks: tuple[Task, ...], threads: int, seconds: list[float]) -> list[float]:
    """The end of every task, as threads that walk the tasks and claim pieces bring it about.

    Each thread waits at the first task that has pieces left until that task may begin.
    """
    claimed = [0] * len(tasks)
    ends: list[list[float]] = [[] for _ in tasks]
    clock = [0.0] * threads
    while True:
        current = next((t for t, task in enumerate(tasks) if claimed[t] < task.parts), None)
        if current is None:
            return [max(e) for e in ends]
        ready = max((max(ends[w]) for w in tasks[current].waits), default=0.0)
        thread = min(range(threads), key=lambda i: clock[i])
        # Nobody gets past a task that is not claimed: threads that came earlier waited with it.
        clock = [max(c, ready) for c in clock]
        share = min(tasks[current].parts, threads) / tasks[current].parts
        clock[thread] += seconds[current] * share
        ends[current].append(clock[thread])
        claimed[current] += 1


@st.composite
def task_lists(draw: st.DrawFn) -> tuple[Task, ...]:
    made: list[Task] = []
    for index in range(draw(st.integers(0, 12))):
        waits = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set[int]()
        parts = draw(st.integers(1, 5))
        made.append(
            task(tuple(sorted(waits)), parts, f"op{index}", parameters=(draw(st.integers(0, 3)),))
        )
    return tuple(made)


@settings(max_examples=100, deadline=None)
@given(task_lists(), st.integers(1, 4))
def test_equals_threads_that_claim_pieces(tasks: tuple[Task, ...], threads: int) -> None:
    found = simulate_call(on(program(tasks, threads)), "step", AT)
    verify_timeline(found)
    seconds = [growing(t, AT).seconds for t in tasks]
    ends = {s.name: s.start_seconds + s.seconds for s in found.spans}
    expected = emulate(tasks, threads, seconds)
    assert [ends[t.source] for t in tasks] == pytest.approx(expected)
    assert found.seconds == pytest.approx(max(expected, default=0.0))
    if threads == 1:
        assert found.seconds == pytest.approx(sum(seconds))


def test_joules_add_up_and_one_unknown_hides_the_sum() -> None:
    made = program((task(), task()))
    assert simulate_call(on(made), "step", AT).joules == 4.0
    unknown = Simulation(made, "nowhere", (("step", lambda t, s: TaskCost(1.0)),))
    assert simulate_call(unknown, "step", AT).joules is None


def test_alike_tasks_are_priced_once() -> None:
    asked: list[str] = []

    def price(asked_task: Task, symbols: object) -> TaskCost:
        asked.append(asked_task.source)
        return TaskCost(1.0)

    tasks = tuple(task(source=f"layer{i}", operands=(rows(0, 64 * i),)) for i in range(50))
    found = simulate_call(Simulation(program(tasks), "nowhere", (("step", price),)), "step", AT)
    assert asked == ["layer0"]
    assert found.seconds == 50.0


def test_memory_follows_what_is_alive() -> None:
    a, b, c = (rows(0, 256 * i) for i in range(3))
    tasks = (
        task(source="make a", operands=(a,)),
        task((0,), source="a to b", operands=(b, a)),
        task((1,), source="b to c", operands=(c, b)),
        task((2,), source="c in place", operands=(c, c)),
    )
    found = simulate_call(on(program(tasks)), "step", AT)
    assert {m.memory for m in found.memory} == {"memory"}
    beside = beside_bytes(program(tasks), [("step", AT)])
    by_time = {m.start_seconds: m.used_bytes - beside for m in found.memory}
    starts = [s.start_seconds for s in found.spans]
    assert [by_time[t] for t in starts] == [256, 512, 512, 256]
    assert found.peak_memory_bytes == 4096 + beside  # one page, and what the runtime needs
    assert max(m.used_bytes for m in found.memory) <= found.peak_memory_bytes


def test_generation_is_the_sum_of_its_calls() -> None:
    tasks = (task(source="fixed"), task((0,), source="attention", parameters=(PAST,)))
    model = on(program(tasks, names=("prefill", "decode")))
    found = simulate_generate(model, Generate(prompt=70, tokens=5, chunk=512))
    verify_timeline(found)
    calls = [("prefill", 0, 32), ("prefill", 32, 32), ("prefill", 64, 6)]
    calls += [("decode", past, 1) for past in (70, 71, 72, 73)]
    each = [
        simulate_call(model, entry, {"n_past": past, "n_tokens": n}) for entry, past, n in calls
    ]
    assert found.seconds == pytest.approx(sum(t.seconds for t in each))
    assert found.fact("calls") == 7
    assert found.fact("token_seconds") == pytest.approx(sum(t.seconds for t in each[3:]) / 4)
    assert found.fact("prompt_token_seconds") == pytest.approx(
        sum(t.seconds for t in each[:3]) / 70
    )
    assert len(found.spans) == 14


def test_machine_prices_a_real_task() -> None:
    machine = library_machine("h100-sxm")
    found = simulate(program((task(), task((0,)))), machine, "step", AT)
    verify_timeline(found)
    assert found.machine == machine.name
    assert found.seconds >= 2 * machine.launch_seconds
    assert found.interval is not None
    assert found.interval.low <= found.seconds <= found.interval.high


@pytest.mark.parametrize(
    ("made", "entry", "symbols", "words"),
    [
        (program((task(),)), "decode", AT, "no entry 'decode'; it has step"),
        (program((task(),)), "step", {"n_past": 0}, "n_tokens = None, expected 1 to 32"),
        (program((task(),)), "step", {"n_past": 1001, "n_tokens": 1}, "expected 0 to 1000"),
        (program((task((0,)),)), "step", AT, "earlier tasks only"),
        (program((task(parts=0),)), "step", AT, "0 parts"),
    ],
)
def test_nonsense_is_named(made: Program, entry: str, symbols: dict[str, int], words: str) -> None:
    with pytest.raises(ProgramError, match=words):
        simulate_call(on(made), entry, symbols)
