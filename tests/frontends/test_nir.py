"""NIR files: written by the package nir and read here, written here and read there, and hostile."""

from itertools import pairwise
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
from netwright.job.job import Infer, Stream
from netwright.machine.load import library_machine
from netwright.plan.make import make_plan
from netwright.run.native import NativeRuntime
from netwright.run.reference import ReferenceRuntime

MACHINE = library_machine("raspberry-pi-5")
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


def read_steps(path: Path, x: np.ndarray) -> np.ndarray:
    """A graph of one step, called for every row of x."""
    graph = load(path, dims={"steps": x.shape[0], "batch": x.shape[1]}, dt_seconds=DT)
    run, state, rows = Interpreter(graph), {}, []
    for now in x:
        found, state = run({graph[graph.inputs[0]].name: now[None]}, {}, state)
        rows.append(next(iter(found.values()))[0])
    return np.array(rows)


def every_node() -> Any:
    """All nodes that there are, in one file; neurons that differ in all that they can."""
    rng = np.random.default_rng(6)

    def some(low: float, high: float, *shape: int) -> np.ndarray:
        return rng.uniform(low, high, shape)

    image, n = (3, 5, 5), 12
    leaky = (some(2e-3, 9e-3, *image), some(1.0, 3.0, *image), some(-0.1, 0.1, *image))
    currents = (some(2e-3, 9e-3, n), some(2e-3, 9e-3, n), some(1.0, 3.0, n), some(-0.1, 0.1, n))
    nodes = {
        "in": nir.Input(np.array([2, 6, 6])),
        "scale": nir.Scale(some(0.5, 2.0, 2, 6, 6).astype("f4")),
        "conv": nir.Conv2d(
            (6, 6), some(-1, 1, 3, 2, 2, 2).astype("f4"), 1, 0, 1, 1, np.zeros(3, "f4")
        ),
        "lif": nir.LIF(*leaky, some(0.1, 0.5, *image), some(-0.2, 0.1, *image)),
        "sum": nir.SumPool2d(np.array([2, 2]), np.array([1, 1]), np.array([0, 0])),
        "mean": nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([1, 1])),
        "flat": nir.Flatten({"input": np.array([3, 3, 3])}, 0, -1),
        "affine": nir.Affine(some(-1, 1, n, 27).astype("f4"), some(-0.1, 0.3, n).astype("f4")),
        "if": nir.IF(some(100, 400, n), some(0.3, 0.6, n), some(-0.1, 0.1, n)),
        "delay": nir.Delay(np.arange(n) % 3 * DT),
        "cuba": nir.CubaLIF(*currents, some(0.1, 0.2, n), some(-0.1, 0.0, n), some(1.0, 4.0, n)),
        "same": nir.CubaLIF(
            *(each(v, (n,)) for v in (4e-3, 6e-3, 2.0, 0.0, 0.1)), w_in=each(3.0, (n,))
        ),
        "linear": nir.Linear(some(-1, 1, 4, n).astype("f4")),
        "cubali": nir.CubaLI(*(c[:4] for c in currents), w_in=some(1.0, 2.0, 4)),
        "line": nir.Conv1d(
            6, some(-1, 1, 1, 2, 2).astype("f4"), 1, "same", 1, 1, np.zeros(1, "f4")
        ),
        "li": nir.LI(each(5e-3), each(2.0), each(0.1)),
        "i": nir.I(some(1.0, 2.0, 4)),
        "over": nir.Threshold(some(0.0, 0.1, 4).astype("f4")),
        "out": nir.Output(np.array([4])),
    }
    names = ["in", "scale", "conv", "lif", "sum", "mean", "flat", "affine", "if", "delay"]
    names += ["cuba", "same", "linear", "cubali", "li", "i", "over", "out"]
    edges = [*pairwise(names), ("affine", "cuba"), ("cubali", "out")]
    del nodes["line"]
    return nir.NIRGraph(nodes, edges, type_check=False)


def test_every_node_is_written_and_read_again_with_the_same_bits(tmp_path: Path) -> None:
    first, second = tmp_path / "first.nir", tmp_path / "second.nir"
    nir.write(first, every_node())
    x = (np.random.default_rng(8).random((STEPS, BATCH, 2, 6, 6)) < 0.4).astype(float)
    dims = {"steps": STEPS, "batch": BATCH}
    graph = load(first, dims=dims, dt_seconds=DT)
    write_nir(second, graph)
    expected = outputs(first, x)
    assert np.unique(expected).size > 50
    np.testing.assert_array_equal(outputs(second, x), expected)
    theirs = nir.read(second)
    ours = {type(node).__name__ for node in theirs.nodes.values()}
    assert ours == {type(node).__name__ for node in every_node().nodes.values()}
    np.testing.assert_array_equal(theirs.nodes["lif"].tau, every_node().nodes["lif"].tau)
    again = load(second, dims=dims)  # the note knows the step
    run = [NativeRuntime(make_plan(g, MACHINE, Infer()).program) for g in (graph, again)]
    found = [next(iter(r.call("forward", {"in": x}, {}).values())) for r in run]
    np.testing.assert_array_equal(*found)


def recurrent() -> Any:
    """The shape of the paper's Braille network: a graph inside whose neurons feed themselves."""
    rng, n = np.random.default_rng(9), 6

    def some(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype("f4")

    cell = nir.CubaLIF(*(each(v, (n,)) for v in (4e-3, 8e-3, 2.0, 0.0, 0.05)))
    inside = {"input": nir.Input(np.array([n])), "lif": cell, "output": nir.Output(np.array([n]))}
    inside["w_rec"] = nir.Affine(some(n, n), 0.1 * some(n))
    edges = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
    nodes = {
        "in": nir.Input(np.array([3])),
        "w": nir.Linear(some(n, 3)),
        "rec": nir.NIRGraph(inside, edges, type_check=False),
        "wo": nir.Linear(some(2, n)),
        "li": nir.LI(np.array([3e-3, 5e-3]), np.ones(2), np.zeros(2)),
        "out": nir.Output(np.array([2])),
    }
    outer = list(pairwise(("in", "w", "rec", "wo", "li", "out")))
    return nir.NIRGraph(nodes, outer, type_check=False)


def by_hand(network: Any, x: np.ndarray) -> np.ndarray:
    inside, n = network.nodes["rec"].nodes, 6
    weights = [network.nodes[k].weight.astype(float) for k in ("w", "wo")]
    back, bias = inside["w_rec"].weight.astype(float), inside["w_rec"].bias.astype(float)
    a, b = np.exp(-DT / 4e-3), np.exp(-DT / 8e-3)
    d = np.exp(-DT / np.array([3e-3, 5e-3]))
    current, v, s = (np.zeros((x.shape[1], n)) for _ in range(3))
    readout, rows = np.zeros((x.shape[1], 2)), []
    for now in x:
        current = current + (1 - a) * (now @ weights[0].T + s @ back.T + bias)
        v, current = b * v + 2.0 * 4e-3 / (4e-3 - 8e-3) * (a - b) * current, a * current
        s = (v > 0.05).astype(float)
        v = np.where(s > 0, 0.0, v)
        readout = d * readout + (1 - d) * (s @ weights[1].T)
        rows.append(readout)
    return np.array(rows)


def test_loops_and_graphs_inside_run_step_by_step(tmp_path: Path) -> None:
    path, again = tmp_path / "loop.nir", tmp_path / "again.nir"
    network = recurrent()
    nir.write(path, network)
    x = (np.random.default_rng(10).random((STEPS, BATCH, 3)) < 0.4).astype(float)
    expected = by_hand(network, x)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(read_steps(path, x), expected, atol=1e-12)
    graph = load(path, dims={"batch": BATCH}, dt_seconds=DT)
    program = make_plan(graph, MACHINE, Stream(steps=STEPS)).lower()
    native = NativeRuntime(program).call("step", {"in": x}, {})
    plain = ReferenceRuntime(program).call("step", {"in": x}, {})
    for found in (native, plain):
        np.testing.assert_allclose(next(iter(found.values())), expected, atol=1e-6)
    write_nir(again, graph)
    assert ("rec.w_rec", "rec.lif") in nir.read(again, type_check=False).edges
    np.testing.assert_array_equal(read_steps(again, x), read_steps(path, x))
    second = load(again, dims={"batch": BATCH})
    runtime = NativeRuntime(make_plan(second, MACHINE, Stream(steps=STEPS)).lower())
    for ours, theirs in zip(
        runtime.call("step", {"in": x}, {}).values(), native.values(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_loop_through_two_neurons_and_one_through_a_delay(tmp_path: Path) -> None:
    """Towards the outputs in the same step, back in the next; a delay waits as long as it says."""
    path = tmp_path / "loop.nir"
    spikes = nir.IF(each(1 / DT), each(0.5))
    shape = np.array([4])
    nodes = {"z": nir.Input(shape), "b": spikes, "a": spikes, "out": nir.Output(shape)}
    edges = [("z", "b"), ("b", "a"), ("a", "b"), ("a", "out")]
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    x = np.zeros((6, 1, 4))
    x[0] = 1.0
    np.testing.assert_array_equal(read_steps(path, x), np.ones((6, 1, 4)))
    nodes = {"z": nir.Input(shape), "d": nir.Delay(each(2 * DT)), "out": nir.Output(shape)}
    edges = [("z", "d"), ("d", "d"), ("d", "out")]
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    found = read_steps(path, x)
    np.testing.assert_array_equal(found[:, 0, 0], [0, 0, 1, 0, 1, 0])
    again = tmp_path / "again.nir"
    write_nir(again, load(path, dt_seconds=DT))
    np.testing.assert_array_equal(read_steps(again, x), found)


def test_loops_in_which_nothing_waits_and_wrong_dims_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.nir"
    nodes = {"in": nir.Input(np.array([4])), "a": nir.Scale(each(1.0)), "w": nir.Linear(np.eye(4))}
    nodes["out"] = nir.Output(np.array([4]))
    edges = [("in", "a"), ("a", "w"), ("w", "a"), ("a", "out")]
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    with pytest.raises(UnsupportedError, match="nothing waits"):
        load_nir(path, {})
    with pytest.raises(JobError, match="steps and batch"):
        load_nir(path, {"time": 3})
    with pytest.raises(FormatError, match=r"tau has shape \(3,\)"):
        through(
            tmp_path, nir.LIF(*(each(v, (3,)) for v in (1.0, 1.0, 0.0, 1.0))), np.zeros((2, 1, 4))
        )


def test_graphs_inside_with_several_ways_in_need_their_names(tmp_path: Path) -> None:
    path, shape = tmp_path / "two.nir", np.array([4])
    inside = {"x": nir.Input(shape), "y": nir.Input(shape), "s": nir.Scale(each(2.0))}
    inside["o"] = nir.Output(shape)
    part = nir.NIRGraph(inside, [("x", "s"), ("y", "s"), ("s", "o")], type_check=False)
    nodes = {"in": nir.Input(shape), "part": part, "out": nir.Output(shape)}
    nir.write(path, nir.NIRGraph(nodes, [("in", "part"), ("part", "out")], type_check=False))
    with pytest.raises(UnsupportedError, match=r"part\.x"):
        load_nir(path, {})
    edges = [("in", "part.x"), ("in", "part.y"), ("part", "out")]
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    x = np.ones((2, 1, 4))
    np.testing.assert_array_equal(outputs(path, x), 4 * x)


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
