"""Calls that are set against each other take turns."""

from netwright.study.clock import interleaved


def test_every_call_takes_its_turn_and_one_more_to_warm_up() -> None:
    order: list[str] = []
    spent = interleaved({name: lambda n=name: order.append(n) for name in "ab"}, 3)
    assert "".join(order) == "abababab"
    assert set(spent) == {"a", "b"}
    assert all(seconds >= 0 for seconds in spent.values())
