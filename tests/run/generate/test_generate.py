"""The generation loop over a decoder that is a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.frontends import tiny_models

from netwright.errors import JobError
from netwright.frontends.load import load
from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter
from netwright.run.generate.generate import Decoder, Request, generate
from netwright.run.generate.load import load_tokeniser
from netwright.run.generate.sampling import sampling
from netwright.run.generate.stop import StopStrings
from netwright.run.generate.tokeniser import Tokeniser


class Bytes(Tokeniser):
    """Ids 0 to 255 are bytes; 256 ends a turn."""

    size = 257  # type: ignore[assignment]
    stop_ids = frozenset({256})  # type: ignore[assignment]

    def encode_text(self, text: str) -> list[int]:
        return list(text.encode())

    encode_prompt = encode_text

    def piece(self, token: int) -> bytes:
        return bytes([token]) if token < 256 else b""


class Recital(Decoder):
    """Says a fixed text, whatever it is told."""

    context = 64  # type: ignore[assignment]

    def __init__(self, says: Sequence[int]) -> None:
        self.says = iter(says)
        self.seen: list[int] = []

    @property
    def position(self) -> int:
        return len(self.seen)

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        self.seen += ids
        logits = np.zeros(257, np.float32)
        logits[next(self.says)] = 1
        return logits

    def decode(self, token: int) -> NDArray[np.float32]:
        return self.prefill([token])


def told(says: bytes, *, tokens: int = 40, stops: tuple[str, ...] = (), end: bool = True) -> str:
    decoder = Recital([*says, *([256] if end else [])])
    request = Request((1, 2, 3), tokens, stops=stops)
    return "".join(t.text for t in generate(decoder, Bytes(), request))


def test_streams_until_the_stop_id() -> None:
    decoder = Recital([*"hé!".encode(), 256])
    found = list(generate(decoder, Bytes(), Request((1, 2, 3), 40)))
    assert [t.text for t in found] == ["h", "", "é", "!", ""]
    assert [t.id for t in found] == [*"hé!".encode(), 256]
    assert all(t.seconds >= 0 for t in found)
    # the last id is never fed back: nothing is computed that nobody sees
    assert decoder.seen == [1, 2, 3, *"hé!".encode()]


def test_stops_at_the_asked_number_with_what_is_left() -> None:
    assert told("hé".encode(), tokens=2) == "h\ufffd"
    assert told(b"abcdef", tokens=3) == "abc"


def test_stop_strings_across_tokens() -> None:
    assert told(b"one. two. three", stops=(". t",)) == "one"
    assert told(b"one. xwo", stops=(". t",)) == "one. xwo"
    assert told(b"ends in ST", stops=("STOP",)) == "ends in ST"
    assert told(b"ends in ST", stops=("STOP",), tokens=10, end=False) == "ends in ST"


@given(
    text=st.text("ab.", max_size=30),
    stops=st.lists(st.text("ab.", min_size=1, max_size=4), max_size=3),
    data=st.data(),
)
def test_stop_strings_equal_a_search(text: str, stops: list[str], data: st.DataObject) -> None:
    matcher = StopStrings(tuple(stops))
    shown, rest = "", text
    while rest:
        length = data.draw(st.integers(1, len(rest)))
        shown += matcher.push(rest[:length])
        rest = rest[length:]
    shown += matcher.finish()
    # the stop string whose end comes first wins, as text arrives from left to right
    ends = [text.find(s) + len(s) for s in stops if s in text]
    assert matcher.stopped == bool(ends)
    if not ends:
        assert shown == text
    else:
        assert text.startswith(shown)
        assert not any(s in shown for s in stops)
        assert any(text[len(shown) :].startswith(s) for s in stops)


def test_seeds_repeat() -> None:
    def once(seed: int) -> list[int]:
        chosen = sampling(temperature=50.0, seed=seed)
        decoder = Recital([65] * 40)
        return [t.id for t in generate(decoder, Bytes(), Request((1,), 20, chosen))]

    assert once(3) == once(3)
    assert once(3) != once(4)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (Request((), 1), "prompt is empty"),
        (Request((1,), 0), "at least 1"),
        (Request((1,) * 60, 5), "60 tokens and 5 tokens .* 65, but the context holds 64.* most 4"),
        (Request((257,), 5), "id 257, expected 0 to 256"),
    ],
)
def test_refusals(request_: Request, text: str) -> None:
    with pytest.raises(JobError, match=text):
        generate(Recital([]), Bytes(), request_)
    with pytest.raises(JobError, match="empty one"):
        StopStrings(("",))


class Interpreted(Decoder):
    """A graph run by the float64 interpreter, its caches kept between calls."""

    context = 64  # type: ignore[assignment]

    def __init__(self, graph: Graph) -> None:
        self._interpreter = Interpreter(graph)
        self._state: dict[str, NDArray[np.float64]] = {}
        self._position = 0

    @property
    def position(self) -> int:
        return self._position

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float64]:
        symbols = {"n_tokens": len(ids), "n_past": self._position}
        out, state = self._interpreter({"tokens": np.array(ids)}, symbols, self._state)
        self._state = dict(state)
        self._position += len(ids)
        return out["logits"][-1]

    def decode(self, token: int) -> NDArray[np.float64]:
        return self.prefill([token])


def test_a_graph_generates_what_repeated_prefills_would(tmp_path: Path) -> None:
    path = tiny_models.write(tmp_path / "m.gguf", "gemma3")
    graph = load(path)
    prompt = tiny_models.PROMPT[:6]
    tokeniser = load_tokeniser(path)
    request = Request(prompt, 8, sampling(repetition_penalty=1.3))
    said = [t.id for t in generate(Interpreted(graph), tokeniser, request)]
    expected = list(prompt)
    for _ in said:
        logits = Interpreted(graph).prefill(expected)
        seen = np.unique(expected)
        changed = logits.copy()
        changed[seen] = np.where(logits[seen] > 0, logits[seen] / 1.3, logits[seen] * 1.3)
        expected.append(int(changed.argmax()))
    assert said == expected[len(prompt) :]
    assert len(said) == 8
