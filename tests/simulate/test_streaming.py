"""Streams of einsums: counts by hand, laws, and attention's three forms."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import ProgramError
from netwright.graph.op import TensorType
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.attention_forms import one_pass, two_pass
from netwright.graph.ops.softmax import Softmax
from netwright.simulate.streaming import (
    Queue,
    StreamNetwork,
    StreamUnit,
    smallest_depth,
    stream,
    stream_network,
)

KIND = Attention(1.0)


def attention(form: int, n: int) -> StreamNetwork:
    types: list[TensorType | None] = [TensorType((n, 1, 4))] * 3
    out = KIND.infer(types)
    cascade = (
        KIND.einsums(types, out),
        two_pass(KIND, types, out[0]),
        one_pass(KIND, types, out[0]),
    )[form]
    return stream_network(cascade, ("t", "s"))


def test_two_units_by_hand() -> None:
    """A depth of one halves the rate: room is free only a cycle after it is left."""
    network = StreamNetwork((StreamUnit((0,), 10, 1), StreamUnit((1,), 10, 1)), (Queue(0, 1, 1),))
    assert stream(network, [2]).cycles == 11
    assert stream(network, [1]).cycles == 20
    assert stream(network, [2]).most == (1,)


def test_a_branch_that_waits_for_its_sum_needs_room_for_a_row() -> None:
    """x → sum of a row; x waits for it: the shape of softmax's second half."""
    row = 6
    network = StreamNetwork(
        (StreamUnit((0,), 12, 1), StreamUnit((1,), 12, row), StreamUnit((2,), 12, 1)),
        (Queue(0, 1, 1), Queue(0, 2, 1), Queue(1, 2, row)),
    )
    assert smallest_depth(network, 20) == row
    assert not stream(network, [row - 1] * 3).finished
    assert smallest_depth(network, row - 1) is None


def test_wrong_depths_are_said() -> None:
    with pytest.raises(ProgramError, match="for 2 queues"):
        stream(StreamNetwork((StreamUnit((0,), 1, 1),), (Queue(0, 0, 1),) * 2), [1])


def test_an_outer_loop_cannot_be_reduced_first() -> None:
    given_type = TensorType((3, 4))
    cascade = Softmax(1).einsums([given_type], [given_type])
    names = [name for name, _ in cascade[0].loops]
    assert stream_network(cascade, names).queues
    with pytest.raises(ProgramError, match="reduces an outer loop"):
        stream_network(cascade, names[::-1])


@settings(max_examples=15, deadline=None)
@given(form=st.integers(0, 2), n=st.integers(2, 9), depths=st.integers(1, 12))
def test_room_never_hurts_and_everything_fires(form: int, n: int, depths: int) -> None:
    network = attention(form, n)
    count = len(network.queues)
    little, much = stream(network, [depths] * count), stream(network, [2 * n * n] * count)
    assert much.finished
    assert much.cycles >= n * n
    if little.finished:
        assert little.cycles >= much.cycles
        assert max(little.most) <= depths


@pytest.mark.parametrize(("form", "long_queues"), [(0, 2), (1, 1), (2, 0)])
def test_every_pass_more_waits_for_a_row(form: int, long_queues: int) -> None:
    n = 24
    network = attention(form, n)
    free = stream(network, [n * n] * len(network.queues))
    assert sum(most >= n for most in free.most) == long_queues
    assert free.cycles <= n * n + 3 * n
    assert stream(network, free.most if form else [m + 1 for m in free.most]).finished
