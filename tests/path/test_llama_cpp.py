"""SmolLM2 Q4_1 as shipped against what llama.cpp said (tests/run/generate/llama_cpp_greedy.json).

Both round activations to int8, so a difference in the last bit of any sum moves whole steps
downstream: llama.cpp's own logits move by `variants` when only its batch, cache or attention kernel
is another. Where none of these changes its text (`stable`), ours must be that text. Elsewhere we
must be no further from it than it is from itself, and choose another token only where its choice
was not clear. The prompts are the first stable ones and the first others of a list that was fixed
before (benchmarks/greedy).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright.errors import FormatError
from netwright.frontends.load import load
from netwright.frontends.packages import package_file
from netwright.job.job import Generate, Limits
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.decoder import NativeDecoder
from netwright.run.generate.load import load_tokeniser
from netwright.run.native import NativeRuntime

pytestmark = pytest.mark.network
RECORD = Path(__file__).parents[1] / "run" / "generate" / "llama_cpp_greedy.json"
RECORDS: list[dict[str, Any]] = json.loads(RECORD.read_text())["prompts"]
STABLE = [i for i, record in enumerate(RECORDS) if record["stable"]]
OTHERS = [i for i, record in enumerate(RECORDS) if not record["stable"]]
TOKENS = 64


def largest(key: str) -> float:
    """The most by which llama.cpp differs from itself, over prompts and settings."""
    return max(v[key] for record in RECORDS for v in record["variants"].values())


@cache
def decoder() -> NativeDecoder:
    try:
        path = package_file("smollm2")
    except FormatError:
        pytest.skip("the package of smollm2 is not installed")
    longest = max(len(record["prompt_ids"]) for record in RECORDS)
    job = Generate(prompt=longest, tokens=TOKENS, chunk=32, verify=2, limits=Limits(threads=2))
    program = make_plan(load(path), library_machine("raspberry-pi-5"), job).program
    return NativeDecoder(NativeRuntime(program), load_tokeniser(path).size)


@cache
def logits(place: int) -> NDArray[np.float32]:
    """[64, vocabulary] after the prompt and each of llama.cpp's ids."""
    record, ours = RECORDS[place], decoder()
    ours.reset()
    rows = [np.array(ours.prefill(record["prompt_ids"]))]
    rows += [ours.decode(token).copy() for token in record["ids"][:-1]]
    return np.array(rows)


def test_the_record_is_what_is_claimed() -> None:
    assert len(STABLE) >= 5
    assert OTHERS
    for record in RECORDS:
        equal = [v["equal_ids"] for v in record["variants"].values()]
        assert len(record["ids"]) == len(record["margins"]) == TOKENS
        assert record["stable"] == (equal == [TOKENS] * 3)


@pytest.mark.parametrize("place", range(len(RECORDS)))
def test_prompts_are_the_same_ids(place: int) -> None:
    try:
        tokeniser = load_tokeniser(package_file("smollm2"))
    except FormatError:
        pytest.skip("the package of smollm2 is not installed")
    assert tokeniser.encode_prompt(RECORDS[place]["prompt"]) == RECORDS[place]["prompt_ids"]


@pytest.mark.parametrize("place", STABLE)
def test_greedy_text_is_llama_cpps(place: int) -> None:
    # Every best id is the next one of the text: ours, left alone, writes the same.
    assert logits(place).argmax(axis=1).tolist() == RECORDS[place]["ids"]


@pytest.mark.parametrize("place", OTHERS)
def test_other_choices_only_where_llama_cpp_was_not_clear(place: int) -> None:
    record = RECORDS[place]
    chosen = logits(place).argmax(axis=1)
    margins = np.array(record["margins"])[chosen != record["ids"]]
    # A margin is the difference of two logits, each of which moves by this RMS: two deviations.
    assert margins.max(initial=0.0) < 2 * 2**0.5 * largest("best_difference_rms")


def test_no_more_other_choices_than_llama_cpp_itself() -> None:
    ours = sum(int((logits(i).argmax(axis=1) != RECORDS[i]["ids"]).sum()) for i in OTHERS)
    settings = RECORDS[0]["variants"]
    its = max(sum(RECORDS[i]["variants"][s]["other_choices"] for i in OTHERS) for s in settings)
    # Both are counts of rare events: two standard deviations.
    assert ours <= its + 2 * its**0.5


@pytest.mark.parametrize("place", range(len(RECORDS)))
def test_logits_are_as_near_as_its_own(place: int) -> None:
    record = RECORDS[place]
    moved = logits(place)[range(TOKENS), record["ids"]] - record["best"]
    # 64 values estimate an RMS to about a tenth; a wrong angle or norm moves it by whole units.
    assert float(np.sqrt((moved**2).mean())) < 1.5 * largest("best_difference_rms")
