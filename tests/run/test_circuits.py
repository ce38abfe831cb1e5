"""Spiking circuits: native against the reference and the interpreter, threads, plain loops."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.graph.circuit import Circuit
from netwright.graph.interpret import Interpreter
from netwright.graph.ops.connect import RandomConnect
from netwright.graph.ops.neuron import CubaLif, Lif
from netwright.graph.ops.neuron_rule import Discretisation, Reset
from netwright.graph.synapses import Chance, Pairs
from netwright.native import core
from netwright.plan import draft
from netwright.program.file import open_program, save
from netwright.run import native
from netwright.run.native import NativeRuntime
from netwright.run.reference import ReferenceRuntime

from .circuits import DT, Loop, circuits, images, planned, rasters

few = settings(max_examples=15, deadline=None)
STEPS = 24


def interpreted(graph: Any, steps: int) -> dict[str, Any]:
    """Spikes [steps, neurons] of every output, by the graph's own references."""
    step, state, rows = Interpreter(graph), {}, []
    for _ in range(steps):
        out, state = step({}, {}, state)
        rows.append(out)
    return {name: np.stack([r[name][0, 0] > 0 for r in rows]) for name in rows[0]}


@few
@given(circuits())
def test_native_reference_and_interpreter_spike_alike(example: Any) -> None:
    """Weights are dyadic: membranes may differ by rounding, spikes hardly ever do."""
    graph, sizes = example
    program = planned(graph, STEPS).program
    expected = interpreted(graph, STEPS)
    found = rasters(NativeRuntime(program), program, sizes)
    slow = rasters(ReferenceRuntime(program), program, sizes)
    total = sum(int(e.sum()) for e in expected.values())
    for name in sizes:
        for one in (found[name], slow[name]):
            assert (one != expected[name]).sum() <= max(2, 0.02 * total)
    np.testing.assert_array_equal(found["in"], expected["in"])


@few
@given(circuits(), st.integers(2, 4))
def test_any_number_of_threads_gives_the_same_bits(example: Any, threads: int) -> None:
    graph, sizes = example
    one = planned(graph, STEPS).program
    expected = rasters(NativeRuntime(one), one, sizes)
    runtime = NativeRuntime(one, threads=threads)
    found = rasters(runtime, one, sizes)
    for name in sizes:
        np.testing.assert_array_equal(found[name], expected[name])


def test_parts_of_a_step_own_their_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is large enough to be cut: 1 to 4 threads, cut or not, the same spikes."""
    random = np.random.default_rng(0)
    n, k = 3000, 40
    rule = Discretisation(1e-4, reset=Reset.VALUE, refractory_steps=5)
    circuit = Circuit("cut", 1e-4)
    cells = circuit.population("cells", n, CubaLif(2e-3, (5e-3,), 1.0, rule, leak=1.2), rate_hz=1e3)
    target, source = np.repeat(np.arange(n), k), random.integers(0, n, n * k)
    weight = random.normal(0, 0.2, n * k)
    circuit.project(cells, cells, Pairs(source, target, weight, random.integers(1, 4, n * k)))
    graph = circuit.graph()
    whole = planned(graph, 200).program
    expected = rasters(NativeRuntime(whole), whole, {"cells": n})["cells"]
    assert expected.sum() > 1000
    for threads in (2, 3, 4):
        chosen = {"step": threads, "start": 1}, ()
        monkeypatch.setattr(draft, "choose_threads", lambda *_, chosen=chosen: chosen)
        program = planned(graph, 200, threads).program
        assert max(t.parts for e in program.entries for t in e.tasks) > 1
        runtime = NativeRuntime(program, threads=threads)
        found = rasters(runtime, program, {"cells": n})["cells"]
        np.testing.assert_array_equal(found, expected)


def test_scalar_and_vector_forms_spike_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = Circuit("two forms", DT, seed=5)
    rule = Discretisation(DT, reset=Reset.SUBTRACT)
    cells = circuit.population("cells", 203, Lif(1e-2, 1.0, rule), rate_hz=50.0)
    circuit.noise(cells, 2000.0, 0.7)
    circuit.project(cells, cells, Chance(0.1, -0.05, seed=3), delay_steps=3)
    program = planned(circuit.graph(), 300).program
    fast = rasters(NativeRuntime(program), program, {"cells": 203})["cells"]

    class Plain:
        """The core, as on a processor without AVX2."""

        def __getattr__(self, name: str) -> Any:
            return (lambda: False) if name == "has_avx2" else getattr(core, name)

    monkeypatch.setattr(native, "core", Plain())
    plain = rasters(NativeRuntime(program), program, {"cells": 203})["cells"]
    assert fast.sum() > 100
    np.testing.assert_array_equal(plain, fast)


@few
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_plain_loop_over_events(seed: int, together: bool) -> None:
    random = np.random.default_rng(seed)
    n, k = 60, 400
    pairs = random.integers(0, n, k), random.integers(0, n, k)
    delay = np.full(k, 3) if together else random.integers(1, 9, k)
    receptor = random.integers(0, 2, k)
    weight = np.where(receptor == 0, 1.5, -0.75)
    v = random.uniform(0.0, 1.4, n)
    loop = Loop(*pairs, weight, receptor, delay, v.astype(np.float32).astype(float))
    expected = loop.run(60, DT, (2e-2, 5e-3, 1e-2))
    rule = Discretisation(DT, reset=Reset.VALUE, refractory_steps=2)
    circuit = Circuit("loop", DT)
    cells = circuit.population("cells", n, CubaLif(2e-2, (5e-3, 1e-2), 1.0, rule), {"v": v})
    for which in (0, 1):
        mine = receptor == which
        wires = Pairs(pairs[0][mine], pairs[1][mine], float((1.5, -0.75)[which]), delay[mine])
        circuit.project(cells, cells, wires, which)
    program = planned(circuit.graph(), 60).program
    found = rasters(NativeRuntime(program), program, {"cells": n})["cells"]
    assert expected.any()
    assert (found != expected).sum() <= max(1, 0.02 * expected.sum())


def test_drawn_synapses_are_the_kept_ones() -> None:
    """RandomConnect by rows and drawn again at every spike: one wiring, the same bits."""
    kind = RandomConnect(40, 70, 0.3, 0.5, seed=9, stream=2)
    rows = kind.joined(np.arange(40))
    assert 0.25 < rows.mean() < 0.35
    bits = np.zeros((1, 8), np.uint8)
    fired = np.array([3, 17, 39])
    bits[0] = np.packbits(np.isin(np.arange(64), fired), bitorder="little")
    clock, sums = np.array([4]), []
    for avx2 in (False, True):
        total = np.zeros((1, 70), np.float32)
        operands = [(total, 0, [1, 70], [280, 4]), (clock, 8, [1], [8]), (bits, 5, [1, 8], [8, 1])]
        bound = round(0.3 * 2**32)
        core.call("spike_procedural", operands, [1, 0, 40, 0, 9, 2, bound, 0.5, 1.0], 0, 1, avx2)
        sums.append(total[0])
    np.testing.assert_array_equal(sums[0], 0.5 * rows[fired].sum(axis=0))
    np.testing.assert_array_equal(sums[1], sums[0])


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_convolutions_of_spikes(data: st.DataObject) -> None:
    wires = images(data.draw)
    high, wide = ((s + 2 * wires.padding - 3) // wires.stride + 1 for s in wires.shape[1:])
    circuit = Circuit("image", DT, seed=1)
    pixels = circuit.source("pixels", 40, 200.0)
    rule = Discretisation(DT, reset=Reset.SUBTRACT, input_scale=1.0)
    cells = circuit.population("cells", 2 * high * wide, Lif(1e-2, 1.0, rule))
    circuit.project(pixels, cells, wires, delay_steps=2)
    graph = circuit.graph()
    program = planned(graph, STEPS).program
    found = rasters(NativeRuntime(program), program, {"cells": len(cells)})["cells"]
    assert (found != interpreted(graph, STEPS)["cells"]).sum() <= 1


def test_a_run_goes_on_where_the_last_one_ended(tmp_path: Any) -> None:
    circuit = Circuit("long", DT, seed=2)
    cells = circuit.population("cells", 77, Lif(1e-2, 1.0, Discretisation(DT)), rate_hz=20.0)
    circuit.noise(cells, 3000.0, 0.3)
    circuit.project(cells, cells, Chance(0.2, 0.2), delay_steps=5)
    graph = circuit.graph()
    long = planned(graph, 60).program
    expected = rasters(NativeRuntime(long), long, {"cells": 77})["cells"]
    short = planned(graph, 20).program
    save(short, tmp_path / "short.nwp")
    runtime = NativeRuntime(open_program(tmp_path / "short.nwp"))
    found = rasters(runtime, short, {"cells": 77}, calls=3)["cells"]
    np.testing.assert_array_equal(found, expected[40:])
    runtime.reset()
    again = rasters(runtime, short, {"cells": 77})["cells"]
    np.testing.assert_array_equal(again, expected[:20])


def test_the_page_of_spiking_networks_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    page = root / "docs" / "spiking.md"
    (tmp_path / "examples").symlink_to(root / "examples")
    monkeypatch.chdir(tmp_path)
    code, on_chip = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    later: dict[str, Any] = {}
    exec(compile(on_chip, str(page), "exec"), later)
    assert later["as_it_ran"].joules > 0 and (tmp_path / "chip.html").stat().st_size > 1000
    found: dict[str, Any] = {}
    exec(compile(code, str(page), "exec"), found)
    program = planned(found["network"], 200).program
    spikes = rasters(NativeRuntime(program), program, {"first": 800, "second": 200})
    assert spikes["first"].sum() > 800
    assert spikes["second"].sum() > 20
