"""NIR files: written by the package nir and read here, written here and read there, and hostile."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.errors import FormatError, JobError, UnsupportedError
from netwright.frontends.load import load
from netwright.frontends.nir import load_nir
from netwright.frontends.nir_file import read_nir
from netwright.frontends.nir_write import write_nir
from netwright.graph.build import Builder
from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.neuron import If, Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset

h5py = pytest.importorskip("h5py", reason="NIR files are HDF5: pip install 'netwright[spiking]'")
nir: Any = pytest.importorskip("nir", reason="the oracle of NIR files: pip install nir")

STEPS, BATCH, DT = 12, 2, 1e-3


def each(value: float, shape: tuple[int, ...] = (4,)) -> np.ndarray:
    return np.full(shape, value)


def outputs(path: Path, x: np.ndarray) -> np.ndarray:
    graph = load(path, dims={"steps": x.shape[0], "batch": x.shape[1]}, dt_seconds=DT)
    found, _ = Interpreter(graph)({graph[graph.inputs[0]].name: x}, {}, {})
    return next(iter(found.values()))


def through(tmp_path: Path, node: Any, x: np.ndarray) -> np.ndarray:
    """One node between Input and Output, as the package writes it."""
    shape = np.array(x.shape[2:])
    nodes = {"in": nir.Input(shape), "node": node, "out": nir.Output(shape)}
    edges = [("in", "node"), ("node", "out")]
    path = tmp_path / "one.nir"
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    return outputs(path, x)


def steps_of(x: np.ndarray, decay: float, gain: float, threshold: float, reset: float) -> Any:
    """The equations of NIR's documentation, solved exactly over each step."""
    v, found = np.zeros(x.shape[1:]), []
    for now in x:
        v = decay * v + gain * now
        s = v > threshold
        v = np.where(s, reset, v)
        found.append((s.astype(float), v.copy()))
    return np.array([s for s, _ in found]), np.array([v for _, v in found])


def test_neurons_are_the_equations_solved_exactly(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((STEPS, BATCH, 4)) * 3
    decay = np.exp(-DT / 5e-3)
    gain = 2.0 * (1 - decay)
    lif = nir.LIF(each(5e-3), each(2.0), each(0.0), each(0.5), each(-0.2))
    np.testing.assert_array_equal(through(tmp_path, lif, x), steps_of(x, decay, gain, 0.5, -0.2)[0])
    integrate = nir.IF(each(300.0), each(0.5))
    np.testing.assert_array_equal(
        through(tmp_path, integrate, x), steps_of(x, 1.0, 300.0 * DT, 0.5, 0.0)[0]
    )
    leaky = nir.LI(each(5e-3), each(2.0), each(0.0))
    np.testing.assert_allclose(
        through(tmp_path, leaky, x), steps_of(x, decay, gain, np.inf, 0.0)[1], rtol=1e-12
    )
    np.testing.assert_allclose(
        through(tmp_path, nir.I(each(2.0)), x), np.cumsum(2.0 * DT * x, axis=0), rtol=1e-12
    )


def test_neurons_with_currents_are_the_equations_solved_finely(tmp_path: Path) -> None:
    """A step is exact for the current as it decays: many small Euler steps give the same."""
    x = (np.random.default_rng(1).random((STEPS, BATCH, 4)) < 0.4).astype(float)
    node = nir.CubaLI(each(4e-3), each(9e-3), each(2.0), each(0.0), each(3.0))
    current, v, expected, fine = np.zeros((BATCH, 4)), np.zeros((BATCH, 4)), [], 20_000
    for now in x:
        current = current + 3.0 * (1 - np.exp(-DT / 4e-3)) * now
        for _ in range(fine):
            v = v + DT / fine / 9e-3 * (2.0 * current - v)
            current = current - DT / fine / 4e-3 * current
        expected.append(v)
    np.testing.assert_allclose(through(tmp_path, node, x), expected, rtol=1e-3)


def test_layers_are_what_their_names_say(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((STEPS, BATCH, 4))
    weight, bias = rng.standard_normal((4, 4)).astype(np.float32), rng.standard_normal(4)
    bias = bias.astype(np.float32)
    np.testing.assert_allclose(through(tmp_path, nir.Linear(weight), x), x @ weight.T)
    found = through(tmp_path, nir.Affine(weight, bias), x)
    np.testing.assert_allclose(found, x @ weight.T + bias)
    np.testing.assert_allclose(through(tmp_path, nir.Scale(bias), x), x * bias)
    late = through(tmp_path, nir.Delay(each(3 * DT)), x)
    np.testing.assert_array_equal(late, np.concatenate([np.zeros_like(x[:3]), x[:-3]]))
    over = through(tmp_path, nir.Threshold(each(0.5)), x)
    np.testing.assert_array_equal(over, (x > 0.5).astype(float))


def test_windows_are_what_their_names_say(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((STEPS, BATCH, 2, 6, 6))
    two, none = np.array([2, 2]), np.array([0, 0])
    blocks = x.reshape(STEPS, BATCH, 2, 3, 2, 3, 2)
    np.testing.assert_allclose(
        through(tmp_path, nir.SumPool2d(two, two, none), x), blocks.sum((4, 6))
    )
    np.testing.assert_allclose(
        through(tmp_path, nir.AvgPool2d(two, two, none), x), blocks.mean((4, 6))
    )
    weight = rng.standard_normal((3, 2, 1, 1)).astype(np.float32)
    conv = nir.Conv2d((6, 6), weight, 1, 0, 1, 1, np.zeros(3))
    expected = np.einsum("oc,tbchw->tbohw", weight[:, :, 0, 0], x)
    np.testing.assert_allclose(through(tmp_path, conv, x), expected)
    flat = nir.Flatten({"input": np.array([2, 6, 6])}, 0, -1)
    np.testing.assert_array_equal(through(tmp_path, flat, x), x.reshape(STEPS, BATCH, 72))
    line = rng.standard_normal((STEPS, BATCH, 2, 6))
    one = nir.Conv1d(6, weight[:, :, 0], 1, "same", 1, 1, np.zeros(3))
    expected = np.einsum("oc,tbcw->tbow", weight[:, :, 0, 0], line)
    np.testing.assert_allclose(through(tmp_path, one, line), expected)


def subtracting() -> Graph:
    rng = np.random.default_rng(4)
    rule = Discretisation(DT, Method.EULER, Reset.SUBTRACT, reset_delay=True, input_scale=1.0)
    b = Builder("net")
    x = b.input("spikes", (("step", STEPS), ("batch", BATCH), ("input", 6)))
    for n, (size, inputs) in enumerate(((5, 6), (3, 5))):
        values = rng.standard_normal((size, inputs)).astype(np.float32)
        weight = b.weight(f"w{n}", (("n", size), ("i", inputs)), data=values)
        bias = b.weight(f"b{n}", (("n", size),), data=values[:, 0].copy())
        kind = If(0.8, rule) if n else Lif(4e-3, 0.7, rule, leak=0.1)
        y = b.add(Linear(), (x, weight, bias) if n else (x, weight), f"product{n}")
        x = b.add(kind, (y, None), f"neurons{n}")
    return b.finish([x])


def test_what_is_written_is_read_again_with_its_discretisation(tmp_path: Path) -> None:
    path, graph = tmp_path / "net.nir", subtracting()
    write_nir(path, graph)
    x = np.random.default_rng(5).standard_normal((STEPS, BATCH, 6))
    expected, _ = Interpreter(graph)({"spikes": x}, {}, {})
    np.testing.assert_array_equal(outputs(path, x), next(iter(expected.values())))
    theirs = nir.read(path)
    assert type(theirs.nodes["neurons0"]).__name__ == "LIF"
    assert type(theirs.nodes["product1"]).__name__ == "Affine"
    np.testing.assert_allclose(theirs.nodes["neurons0"].tau, np.full(5, 4e-3))
    assert ("product0", "neurons0") in theirs.edges


def test_loops_other_nodes_and_neurons_that_differ_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.nir"
    lif = nir.LIF(each(5e-3), each(1.0), each(0.0), each(1.0))
    nodes = {"in": nir.Input(np.array([4])), "a": lif, "w": nir.Linear(np.eye(4))}
    nodes["out"] = nir.Output(np.array([4]))
    edges = [("in", "a"), ("a", "w"), ("w", "a"), ("a", "out")]
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    with pytest.raises(UnsupportedError, match="loop"):
        load_nir(path, {})
    x = np.zeros((2, 1, 4))
    differing = nir.LIF(np.arange(1, 5) * 1e-3, each(1.0), each(0.0), each(1.0))
    with pytest.raises(UnsupportedError, match="tau differs"):
        through(tmp_path, differing, x)
    with pytest.raises(JobError, match="steps and batch"):
        load_nir(path, {"time": 3})


def hostile(tmp_path: Path, change: Any) -> Path:
    path = tmp_path / "bad.nir"
    write_nir(path, subtracting())
    with h5py.File(path, "r+") as file:
        change(file["node"])
    return path


def external(root: Any) -> None:
    del root["nodes/product0/weight"]
    root["nodes/product0/weight"] = h5py.ExternalLink("/etc/hostname", "/x")


def soft(root: Any) -> None:
    root["nodes/extra"] = h5py.SoftLink("/node")


def huge(root: Any) -> None:
    del root["nodes/product0/weight"]
    root["nodes/product0"].create_dataset("weight", (1 << 20, 1 << 20), chunks=(64, 64), dtype="f4")


def replaced(key: str, value: Any) -> Any:
    def change(root: Any) -> None:
        del root[key]
        root[key] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        external,
        soft,
        huge,
        replaced("nodes/product0/weight", np.full((5, 6), np.nan)),
        replaced("nodes/product0/weight", np.ones((5, 7))),
        replaced("nodes/product0/weight", "text"),
        replaced("nodes/neurons0/tau", np.zeros(5)),
        replaced("nodes/neurons0/tau", np.zeros(0)),
        replaced("nodes/spikes/shape", np.array([1 << 40])),
        replaced("nodes/spikes/shape", np.array([-1])),
        replaced("nodes/neurons0/metadata/netwright", '{"reset": "explode"}'),
        replaced("nodes/neurons0/metadata/netwright", '{"dt_seconds": "1"}x'),
        replaced("nodes/neurons0/metadata/netwright", '{"__class__": 1}'),
        replaced("nodes/neurons0/metadata/netwright", "[" * 5000),
        replaced("edges", np.array([["spikes", "nowhere"]], dtype="S10")),
        replaced("type", "LIF"),
    ],
)  # fmt: skip
def test_hostile_files_are_refused(tmp_path: Path, change: Any) -> None:
    with pytest.raises((FormatError, UnsupportedError)):
        load_nir(hostile(tmp_path, change), {"steps": 2})


def test_what_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.nir"
    for content in (b"", b"\x89HDF\r\n\x1a\n" + bytes(100), b"pickle"):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="not a whole NIR file"):
            read_nir(path)
