"""Graph files: lossless round trips, and every damaged file refused by a NetwrightError."""

import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from tests.graph.random_graph import networks

from netwright.errors import FormatError, NetwrightError
from netwright.graph.file import embedded, load, save
from netwright.graph.interpret import interpret, read_data
from netwright.graph.op import OpKind
from netwright.graph.ops.kinds import KINDS
from netwright.graph.record import read_graph, write_graph
from netwright.graph.tensor import ArrayData, FileData
from netwright.graph.verify import verify
from netwright.graph.zoo.llama import LlamaSizes, llama
from netwright.graph.zoo.mlp import mlp

FAST = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_same(one, two):
    assert one == two
    for a, b in zip(one.tensors, two.tensors, strict=True):
        assert len(a.data) == len(b.data)
        for x, y in zip(a.data, b.data, strict=True):
            np.testing.assert_array_equal(read_data(x, a.name), read_data(y, b.name))


@FAST
@given(networks())
def test_round_trip_is_lossless(tmp_path, example):
    graph, inputs, symbols = example
    path = tmp_path / "network.nwgraph"
    save(graph, path)
    read = load(path)
    assert_same(graph, read)
    one, kept_one = interpret(graph, inputs, symbols, {})
    two, kept_two = interpret(read, inputs, symbols, {})
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
    assert sorted(kept_one) == sorted(kept_two)


def test_every_kind_is_listed():
    # A slotted dataclass leaves its unslotted twin among the subclasses: compare names.
    names = {k.__name__ for k in OpKind.__subclasses__() if k.__module__.startswith("netwright")}
    assert {k.__name__ for k in KINDS} == names


def test_infinite_attributes_and_shared_data(tmp_path):
    graph = mlp((4, 4, 4))
    raw = graph.tensors[1].data
    shared = replace(graph, tensors=tuple(replace(t, data=raw) if t.data and len(t.dims) == 2 else t
                                          for t in graph.tensors))  # fmt: skip
    save(shared, tmp_path / "shared")
    save(graph, tmp_path / "own")
    assert_same(shared, load(tmp_path / "shared"))
    smaller = (tmp_path / "shared").stat().st_size
    assert smaller < (tmp_path / "own").stat().st_size


def outside(tmp_path, folder):
    """An mlp whose first weight lies in another file."""
    graph = mlp((4, 8, 3))
    folder.mkdir(exist_ok=True)
    store = folder / "weights.bin"
    store.write_bytes(b"head" + graph.tensors[1].data[0].raw.tobytes())
    entry = FileData(store, 4, 128)
    tensors = list(graph.tensors)
    tensors[1] = replace(tensors[1], data=(entry,))
    return graph, replace(graph, tensors=tuple(tensors))


def test_references_to_other_files(tmp_path):
    graph, refers = outside(tmp_path, tmp_path / "inside")
    path = tmp_path / "net"
    save(refers, path)
    read = load(path)
    assert isinstance(read.tensors[1].data[0], FileData)
    assert_same(graph, read)
    whole = embedded(read)
    assert isinstance(whole.tensors[1].data[0], ArrayData)
    (tmp_path / "inside" / "weights.bin").write_bytes(b"short")
    with pytest.raises(FormatError, match=r"weights.bin at 4 of 128 bytes, the file has 5"):
        load(path)


def test_references_elsewhere_need_leave(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    graph, refers = outside(tmp_path, tmp_path / "elsewhere")
    save(refers, home / "net")
    with pytest.raises(FormatError, match="outside the folders allowed; pass its folder"):
        load(home / "net")
    assert_same(graph, load(home / "net", [tmp_path / "elsewhere"]))


def rewritten(path, change):
    """The file with its header changed and its checksum right again."""
    raw = path.read_bytes()
    length = struct.unpack_from("<Q", raw, 16)[0]
    header = json.loads(raw[40 : 40 + length])
    change(header)
    text = json.dumps(header).encode()
    start = struct.pack("<8sIIQ16s", b"NETWRGPH", 1, 0, len(text),
                        hashlib.blake2b(text, digest_size=16).digest())  # fmt: skip
    path.write_bytes(start + text + b"\0" * 8192)


HOSTILE = [
    (lambda h: h["tensors"][1].update(dims=[["a", 1 << 70]]), "got 1180591620717411303424"),
    (lambda h: h["tensors"][1].update(dims=[["a", 1]] * 17), "weight0.dims: got 17, expected at"),
    (lambda h: h["tensors"][1].update(data=[["here", 1 << 40, 128]]), "data at 1099511627776"),
    (lambda h: h["tensors"][1].update(data=[["here", -1, 128]]), "expected .here, offset, size."),
    (lambda h: h["tensors"][1].update(data=[["file", "/etc/passwd", 0, 1]]), "outside the folders"),
    (lambda h: h["tensors"][1].update(data=[["file", "../x", 0, 1]]), "outside the folders"),
    (lambda h: h["tensors"][1].update(role="king"), "weight0.role: got 'king'"),
    (lambda h: h["tensors"][1].update(density="x"), "weight0.density: got 'x'"),
    (lambda h: h["tensors"][1].update(format="fp99"), "no number format is called 'fp99'"),
    (lambda h: h["body"][0].update(kind="system"), "no operator kind is called 'system'"),
    (lambda h: h["body"][0].update(attributes={}), "linear0.attributes: got {}"),
    (lambda h: h["body"][0]["attributes"].update(input_major=1), "input_major: got 1"),
    (lambda h: h["body"][0].update(inputs=[0, 1 << 40, 2]), "got tensor 1099511627776"),
    (lambda h: h.pop("outputs"), "expected an object with name, symbols"),
    (lambda h: h.update(symbols=[["n", 3, 1]]), "symbol n: got 3..1"),
]


@pytest.mark.parametrize(("change", "message"), HOSTILE, ids=[m for _, m in HOSTILE])
def test_hostile_header_is_refused(tmp_path, change, message):
    path = tmp_path / "net"
    save(mlp((4, 8, 3)), path)
    rewritten(path, change)
    with pytest.raises(NetwrightError, match=message):
        load(path)


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "net"
    save(llama(LlamaSizes(layers=1)), path)
    raw = path.read_bytes()
    random = np.random.default_rng(0)
    for length in (0, 7, 39, 100, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:length])
        with pytest.raises(FormatError):
            load(path)
    header = struct.unpack_from("<Q", raw, 16)[0] + 40
    for _ in range(100):
        damaged = bytearray(raw)
        damaged[random.integers(header)] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(FormatError):
            load(path)


def test_mutated_headers_never_escape(tmp_path):
    """Values of the header swapped at random: a graph or a NetwrightError, nothing else."""
    graph = llama(LlamaSizes(layers=1))
    record = json.loads(json.dumps(write_graph(graph, lambda d: ["here", 0, d.raw.nbytes])))
    data = ArrayData(np.zeros(4, dtype=np.uint8))
    random = np.random.default_rng(1)
    junk = [None, -1, 0, 1 << 61, 1.5, "x", [], {}, [[]], True, "inf", [1, 2, 3]]
    for _ in range(400):
        changed = json.loads(json.dumps(record))
        place, keys = changed, []
        while isinstance(place, (dict, list)) and place and (not keys or random.random() < 0.85):
            keys.append((place, random.choice(sorted(place)) if isinstance(place, dict)
                         else int(random.integers(len(place)))))  # fmt: skip
            place = keys[-1][0][keys[-1][1]]
        owner, key = keys[-1]
        owner[key] = junk[random.integers(len(junk))]
        try:
            read = read_graph(changed, lambda *_: data, "mutated")
            verify(read)
            str(read)
        except NetwrightError:
            continue
