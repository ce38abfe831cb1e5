"""Program files: what is saved is what is loaded; a hostile one ends in an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz import kind_program
from tests.run import graphs

from netwright.errors import FormatError, NetwrightError, ProgramError
from netwright.graph.extent import affine
from netwright.program.encode import OPCODES, encode
from netwright.program.file import load, open_program, save
from netwright.program.opcodes import real_parameters
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task
from netwright.run.native import NativeRuntime
from netwright.run.reference import ReferenceRuntime

SYMBOLS = ("past", "rows")


def same(a: Program, b: Program) -> None:
    """Equal in every record and byte."""
    assert replace(a, arenas=()) == replace(b, arenas=())
    assert len(a.arenas) == len(b.arenas)
    for one, two in zip(a.arenas, b.arenas, strict=True):
        assert (one.name, one.kind, one.size_bytes, one.memory, one.file) == (
            two.name, two.kind, two.size_bytes, two.memory, two.file
        )  # fmt: skip
        assert (one.raw is None) == (two.raw is None)
        assert one.raw is None or np.array_equal(one.raw, two.raw)


extents = st.one_of(
    st.integers(0, 2**40),
    st.builds(
        lambda c, a, b: affine(c, {"past": a, "rows": b}),
        st.integers(0, 999), st.integers(-9, 9), st.integers(-9, 9),
    ),
)  # fmt: skip


@st.composite
def operands(draw: st.DrawFn) -> Operand:
    rank = draw(st.integers(0, 4))
    dims = st.lists(extents, min_size=rank, max_size=rank).map(tuple)
    form = draw(st.sampled_from(("fp32", "q4_k", "act8x32", "bytes", "int64")))
    return Operand(draw(st.integers(0, 2)), draw(extents), form, draw(dims), draw(dims))


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    opcode = draw(st.sampled_from(tuple(OPCODES)))
    reals = real_parameters(opcode)
    parameters = tuple(
        draw(st.floats(allow_nan=False)) if i in reals else draw(extents)
        for i in range(draw(st.integers(0, 6)))
    )
    given_operands = draw(st.lists(st.none() | operands(), max_size=4).map(tuple))
    waits = draw(st.lists(st.integers(0, 9), max_size=3).map(tuple))
    return Task(opcode, given_operands, parameters, waits, draw(st.integers(1, 9)), draw(st.text()))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    raw = np.frombuffer(draw(st.binary(min_size=1, max_size=40)), np.uint8)
    arenas = (
        Arena("weights", ArenaKind.CONSTANT, raw.size, "ram", raw=raw),
        Arena("scratch", ArenaKind.SCRATCH, draw(st.integers(0, 2**40)), "ram"),
        Arena("more", ArenaKind.CONSTANT, raw.size, "flash", raw=raw[::-1].copy()),
    )
    entries = tuple(
        Entry(
            name,
            draw(st.lists(tasks(), max_size=4).map(tuple)),
            tuple((s, 0, draw(st.integers(0, 99))) for s in SYMBOLS),
            draw(st.integers(0, 200)),
            (("x", draw(operands())),),
            (("y", draw(operands())),),
        )
        for name in ("prefill", "decode")
    )
    facts = draw(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2))
    return Program(draw(st.text()), arenas, entries, threads=2, metadata=tuple(facts.items()))


@settings(max_examples=30, deadline=None)
@given(program=programs())
def test_random_programs_return(program: Program, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("programs") / "p.nwp"
    save(program, path)
    loaded = load(path)
    same(program, loaded)
    for name in ("words", "patches", "operands", "tasks", "waits"):
        one, two = getattr(encode(program), name), getattr(open_program(path).tables, name)
        assert np.array_equal(one, two), name
        assert np.array_equal(one, getattr(encode(loaded), name)), name


@pytest.mark.parametrize("name", ["llama q8_0", "gpt", "resnet"])
def test_planned_programs_return_and_run(name: str, tmp_path: Path) -> None:
    case, program = graphs.case(name), graphs.program(name)
    path = tmp_path / "p.nwp"
    save(program, path)
    same(program, load(path))
    call = (case.entry, case.inputs(), dict(case.symbols))
    expected = NativeRuntime(program).call(*call)
    found = NativeRuntime(open_program(path)).call(*call)
    for output, array in expected.items():
        assert np.array_equal(found[output], array)
    reference = ReferenceRuntime(open_program(path)).call(*call)
    assert reference.keys() == expected.keys()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("hostile") / "p.nwp"
    save(kind_program._program(), path)
    return path.read_bytes()


def survives(path: Path) -> None:
    """Loading and running end in an answer or in one of our own errors."""
    try:
        program = load(path)
        if any(arena.size_bytes > 1 << 24 for arena in program.arenas):
            return
        kind_program._load(path)
    except NetwrightError:
        return


def test_every_truncation_is_refused(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.nwp"
    # The last arena's bytes end the file, so every shorter file lacks something.
    for size in (*range(0, len(saved), 97), len(saved) - 1):
        path.write_bytes(saved[:size])
        with pytest.raises(FormatError, match=r"p\.nwp"):
            load(path)


def test_a_flipped_bit_breaks_the_checksum(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.nwp"
    data = bytearray(saved)
    data[200] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError):
        load(path)


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_flipped_bits_with_a_right_checksum(
    data: st.DataObject, saved: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = bytearray(saved)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 8 * len(saved) - 1))
        changed[place // 8] ^= 1 << place % 8
    path = tmp_path_factory.getbasetemp() / "flipped.nwp"
    path.write_bytes(kind_program._repair(bytes(changed)))
    survives(path)


def test_a_program_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.nwp"
    path.write_bytes(b"GGUF" * 64)
    with pytest.raises(FormatError, match="not a Netwright program file"):
        load(path)
    with pytest.raises(FormatError, match="cannot be read"):
        load(tmp_path / "absent.nwp")


def test_encode_names_what_it_does_not_know() -> None:
    program = kind_program._program()
    (entry,) = program.entries

    def with_task(**changes: object) -> Program:
        task = replace(entry.tasks[0], **changes)
        return replace(program, entries=(replace(entry, tasks=(task,)),))

    with pytest.raises(ProgramError, match="'juggle'"):
        encode(with_task(opcode="juggle"))
    with pytest.raises(ProgramError, match="'moons'"):
        encode(with_task(parameters=(affine(0, {"moons": 1}),)))
    strange = replace(entry.tasks[0].operands[0], format="fp3")
    with pytest.raises(ProgramError, match="'fp3'"):
        encode(with_task(operands=(strange,)))
