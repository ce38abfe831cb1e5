"""Tokenisers against llama.cpp's ids, the defining library, and their laws."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.run.generate import tiny_vocabularies
from tokenizers import Tokenizer

from netwright.errors import FormatError, UnsupportedError
from netwright.frontends.gguf_file import read_gguf
from netwright.frontends.gguf_write import write_gguf
from netwright.frontends.packages import package_file
from netwright.run.generate.byte_level import BYTE_OF_LETTER
from netwright.run.generate.load import gguf_tokeniser, load_tokeniser
from netwright.run.generate.sentencepiece import SPACE
from netwright.run.generate.tokeniser import Detokeniser, Tokeniser

# text, ids as a whole prompt, ids as plain text; from llama.cpp's llama_tokenize on this file
# texts, and the same of made-up vocabularies: name → a (prompt, plain) pair a text
TINY = json.loads((Path(__file__).parent / "tiny_ids.json").read_text())
LLAMA_CPP = json.loads((Path(__file__).parent / "smollm2_ids.json").read_text())


@pytest.fixture(scope="module")
def smollm2() -> Tokeniser:
    return load_tokeniser(package_file("smollm2"))


@pytest.mark.network
@pytest.mark.parametrize("case", LLAMA_CPP, ids=lambda c: repr(c["text"][:20]))
def test_ids_equal_llama_cpps(smollm2: Tokeniser, case: dict[str, object]) -> None:
    assert smollm2.encode_prompt(str(case["text"])) == case["prompt"]
    assert smollm2.encode_text(str(case["text"])) == case["plain"]


@pytest.mark.network
def test_smollm2_facts(smollm2: Tokeniser) -> None:
    assert smollm2.size == 49152
    assert smollm2.stop_ids == {0, 2}
    assert smollm2.piece(2) == b""
    assert smollm2.piece(3575) == b" capital"


@pytest.mark.network
def test_smollm2_builds_fast() -> None:
    file = read_gguf(package_file("smollm2"))
    seconds: list[float] = []
    for _ in range(3):
        start = time.process_time()
        gguf_tokeniser(file)
        seconds.append(time.process_time() - start)
    # 0.13 s measured on an idle machine; this guards the order of magnitude
    assert min(seconds) < 0.400


@pytest.mark.network
@settings(max_examples=150, deadline=None)
@given(
    text=st.text(
        st.characters(codec="utf-8", max_codepoint=0x3FFFF, exclude_categories=["Cc"]), max_size=60
    )
)
def test_decode_inverts_encode(smollm2: Tokeniser, text: str) -> None:
    # this vocabulary has no token for some control bytes, nor for 0xF1 (the planes above 3)
    ids = smollm2.encode_text(text)
    assert smollm2.decode(ids) == text
    stream = Detokeniser(smollm2)
    assert "".join(stream.push(i) for i in ids) + stream.finish() == text


@pytest.mark.network
def test_stream_never_shows_half_a_character(smollm2: Tokeniser) -> None:
    stream = Detokeniser(smollm2)
    ids = smollm2.encode_text("\U0001f3f3")
    assert len(ids) > 1
    shown = [stream.push(i) for i in ids]
    assert shown[:-1] == [""] * (len(ids) - 1)
    assert shown[-1] == "\U0001f3f3"
    stream.push(ids[0])
    assert stream.finish() == "\ufffd"


def scored(tmp_path: Path, pieces: dict[str, float], **extra: object) -> Tokeniser:
    """A score-based vocabulary: <unk> <s> </s>, 256 bytes, then these pieces."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *pieces]
    types = [2, 3, 3, *[6] * 256, *[1] * len(pieces)]
    values = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": np.array([0.0] * 259 + list(pieces.values()), np.float32),
        "tokenizer.ggml.token_type": np.array(types, np.int32),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        **extra,
    }
    path = tmp_path / "scored.gguf"
    write_gguf(path, values, ())  # type: ignore[arg-type]
    return load_tokeniser(path)


PIECES = {SPACE: -1.0, "a": -9.0, "b": -9.0, "ab": -2.0, "ba": -3.0, "aba": -4.0, SPACE + "a": -5.0}


def texts_of(tokeniser: Tokeniser, ids: list[int]) -> list[bytes]:
    return [tokeniser.piece(i) for i in ids]


def test_scores_decide_merges(tmp_path: Path) -> None:
    tokeniser = scored(tmp_path, PIECES)
    # "ab" (-2) goes before "ba" (-3) and " a" (-5); then "aba" is not reachable from ab + ab
    assert texts_of(tokeniser, tokeniser.encode_text("abab")) == [b" ", b"ab", b"ab"]
    assert texts_of(tokeniser, tokeniser.encode_text("aba")) == [b" ", b"aba"]
    assert texts_of(tokeniser, tokeniser.encode_text("a")) == [b" a"]


def test_unknown_characters_become_bytes(tmp_path: Path) -> None:
    tokeniser = scored(tmp_path, PIECES, **{"tokenizer.ggml.add_space_prefix": False})
    assert texts_of(tokeniser, tokeniser.encode_text("é")) == [b"\xc3", b"\xa9"]
    assert tokeniser.decode(tokeniser.encode_text("é b")) == "é b"


def test_start_and_control_tokens(tmp_path: Path) -> None:
    tokeniser = scored(tmp_path, PIECES)
    assert tokeniser.encode_prompt("a</s>a")[0] == 1
    assert tokeniser.encode_prompt("a</s>a").count(2) == 1
    assert 2 not in tokeniser.encode_text("a</s>a")
    assert tokeniser.stop_ids == {2}


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=40))
def test_scored_round_trip(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    tokeniser = scored(tmp_path_factory.getbasetemp(), PIECES)
    assert tokeniser.decode(tokeniser.encode_text(text)) == text.replace(SPACE, " ")


@pytest.mark.parametrize("name", TINY)
def test_made_up_vocabularies_equal_llama_cpps(tmp_path: Path, name: str) -> None:
    path = tmp_path / "v.gguf"
    write_gguf(path, tiny_vocabularies.all_vocabularies()[name], ())
    tokeniser = load_tokeniser(path)
    for text, (prompt, plain) in zip(tiny_vocabularies.TEXTS, TINY[name], strict=True):
        assert tokeniser.encode_prompt(text) == prompt, text
        assert tokeniser.encode_text(text) == plain, text


def test_a_start_token_that_is_there_is_not_doubled(tmp_path: Path) -> None:
    # llama.cpp puts a second one and warns; templates that write it themselves mean one
    tokeniser = scored(tmp_path, PIECES)
    assert tokeniser.encode_prompt("<s>a")[:2] == tokeniser.encode_prompt("a")[:2]


def byte_level_file(tmp_path: Path, pre: str, merges: list[str]) -> Path:
    letters = list(BYTE_OF_LETTER)
    tokens = [*letters, *(m.replace(" ", "", 1) for m in merges)]
    path = tmp_path / "bytes.gguf"
    values = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.add_bos_token": False,
    }
    write_gguf(path, values, ())
    return path


@pytest.mark.parametrize(
    ("pre", "pieces"),
    [
        ("smollm", [b"1", b"2", b"3", b"4"]),
        ("qwen2", [b"1", b"2", b"3", b"4"]),
        ("llama-bpe", [b"123", b"4"]),
        ("gpt-2", [b"123", b"4"]),
    ],
)
def test_pre_tokenisers_split_digits_as_they_should(
    tmp_path: Path, pre: str, pieces: list[bytes]
) -> None:
    tokeniser = load_tokeniser(byte_level_file(tmp_path, pre, ["1 2", "12 3"]))
    assert texts_of(tokeniser, tokeniser.encode_text("1234")) == pieces


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"tokenizer\.ggml\.pre is 'odd'"):
        load_tokeniser(byte_level_file(tmp_path, "odd", ["1 2"]))
    path = tmp_path / "x.gguf"
    write_gguf(path, {"tokenizer.ggml.model": "t5"}, ())
    with pytest.raises(UnsupportedError, match="'t5'; known are gpt2, llama"):
        load_tokeniser(path)
    write_gguf(path, {"tokenizer.ggml.model": "gpt2"}, ())
    with pytest.raises(FormatError, match=r"'tokenizer\.ggml\.tokens' is missing"):
        load_tokeniser(path)
    values = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a", "a"]}
    write_gguf(path, values, ())
    with pytest.raises(FormatError, match="a token twice"):
        load_tokeniser(path)
    bad_merge = {**values, "tokenizer.ggml.tokens": ["a"], "tokenizer.ggml.merges": ["a b"]}
    write_gguf(path, bad_merge, ())
    with pytest.raises(FormatError, match="do not fit the vocabulary"):
        load_tokeniser(path)
    (tmp_path / "tokenizer.json").write_text("{]")
    with pytest.raises(FormatError, match=r"not a tokenizer\.json"):
        load_tokeniser(tmp_path)


@pytest.mark.network
def test_minilm_equals_its_library() -> None:
    folder = package_file("minilm")
    ours = load_tokeniser(folder)
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.no_padding()
    theirs.no_truncation()
    text = "A man is eating food, naïvely — 日本."
    assert ours.encode_prompt(text) == theirs.encode(text).ids
    assert ours.encode_prompt(text)[0] == 101
    assert ours.encode_text(text) == theirs.encode(text, add_special_tokens=False).ids
    assert ours.size == 30522
