"""Ternary products by lookup: the bits of unpacking in every entry, one table for its readers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright.graph.format import format_of
from netwright.graph.unroll import unrolled
from netwright.graph.zoo.llama import LlamaSizes, llama
from netwright.job.job import Generate, Limits
from netwright.machine.load import library_machine
from netwright.plan.context import for_job
from netwright.plan.draft import Draft, draft
from netwright.plan.pick import MEASURED, ROOFLINE, Rule, Weighed, fastest
from netwright.program.program import ArenaKind, Program
from netwright.run.decoder import NativeDecoder
from netwright.run.native import NativeRuntime
from netwright.transform.standard import standard

MACHINE = library_machine("raspberry-pi-5")
JOB = Generate(prompt=20, tokens=4, chunk=16, limits=Limits(threads=1))
SIZES = LlamaSizes(
    width=256, layers=2, heads=4, key_heads=2, hidden=512, vocabulary=300, context=64
)


def unpacking(weighed: Weighed) -> int:
    return weighed.names.index("unpacking")


def lookup(weighed: Weighed) -> int:
    return len(weighed.names) - 1


def drafted(form: str, rule: Rule) -> Draft:
    graph = unrolled(standard(for_job(llama(SIZES, format_of(form), seed=3), JOB))[0])
    return draft(graph, MACHINE, JOB, rule)


def count(program: Program, entry: str, opcode: str, written: str = "fp32") -> int:
    """Tasks of an opcode that write a format."""
    tasks = [t for t in program.entry(entry).tasks if t.opcode == opcode]
    return sum(t.operands[0] is not None and t.operands[0].format == written for t in tasks)


def logits(program: Program) -> list[NDArray[np.float32]]:
    """Of a prompt in two chunks, then of single tokens."""
    ids = np.random.default_rng(1).integers(0, SIZES.vocabulary, 22).tolist()
    decoder = NativeDecoder(NativeRuntime(program, 1), SIZES.vocabulary)
    found = [np.array(decoder.prefill(chunk)) for chunk in (ids[:16], ids[16:20])]
    return [*found, *(np.array(decoder.decode(token)) for token in ids[20:])]


@pytest.mark.parametrize("form", ["tq2_0", "tq1_0"])
def test_lookup_and_unpacking_give_the_same_bits(form: str) -> None:
    plain, other = drafted(form, unpacking), drafted(form, lookup)
    assert count(plain.program, "decode", "matmul_lookup") == 0
    assert count(other.program, "decode", "matmul_lookup") == 7 * SIZES.layers
    expected, found = logits(plain.program), logits(other.program)
    assert np.isfinite(expected).all()
    assert np.array_equal(expected, found)


def test_tables_are_made_once_for_all_that_read_them() -> None:
    """Of what Q, K and V read, of attention's result, of what gate and up read, of the gated."""
    found = drafted("tq2_0", lookup)
    for entry in ("prefill", "decode"):
        assert count(found.program, entry, "quantize_rows", "lut4x256") == 4 * SIZES.layers


def test_a_weight_that_is_also_gathered_stays_as_shipped() -> None:
    """The embedding is the head too: no second copy of it is made."""
    found = drafted("tq2_0", lookup)
    assert count(found.program, "decode", "matmul_quant") == 1
    assert all("logits" not in each.source for each in found.weighed)


@pytest.mark.parametrize(("form", "grows"), [("tq2_0", 1.0), ("tq1_0", 66 / 54)])
def test_planes_stand_instead_of_the_weight(form: str, grows: float) -> None:
    """Rows that are a multiple of 32 take two bits and a scale: the bytes of TQ2_0."""
    plain, other = drafted(form, unpacking), drafted(form, lookup)

    def constants(of: Draft) -> int:
        return sum(a.size_bytes for a in of.program.arenas if a.kind is ArenaKind.CONSTANT)

    layer = sum(each.weight_bytes[0] for each in plain.weighed)
    more = constants(other) - constants(plain)
    assert more == pytest.approx((grows - 1) * layer, abs=64 * 40)


def test_by_a_roofline_unpacking_is_taken_and_a_tie_is_one() -> None:
    """No peak rate says how fast a processor looks up."""
    found = drafted("tq2_0", fastest)
    assert count(found.program, "decode", "matmul_lookup") == 0
    for each in found.weighed:
        assert each.names == ("unpacking", "lookup by bit planes")


def test_the_cheaper_by_measurement_is_taken() -> None:
    found = drafted("tq2_0", fastest)
    weighed = found.weighed[0]
    for seconds in ((2.0, 1.0), (1.0, 2.0)):
        taken = fastest(replace(weighed, seconds=seconds, methods=(MEASURED,) * 2))
        assert taken == int(np.argmin(seconds))
    assert fastest(replace(weighed, seconds=(2.0, 1.0), methods=(MEASURED, ROOFLINE))) == 0
