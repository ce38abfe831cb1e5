"""`netwright run circuit.py`: figures, spikes in a file, a page with a raster, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from netwright.cli.app import app
from netwright.errors import JobError
from netwright.machine.load import library_machine
from netwright.path import later
from netwright.path.stream import load_circuit, run_circuit, step_seconds
from netwright.report.raster import raster_from_json, raster_json, raster_of, raster_picture

RECIPE = """
from netwright.graph.circuit import Circuit
from netwright.graph.ops.neuron import Lif
from netwright.graph.ops.neuron_rule import Discretisation, Reset
from netwright.graph.synapses import Chance
circuit = Circuit("small", 1e-3, seed=4)
rule = Discretisation(1e-3, reset=Reset.SUBTRACT)
cells = circuit.population("cells", 70, Lif(1e-2, 1.0, rule), rate_hz=50)
circuit.noise(cells, 2000.0, 0.7)
circuit.project(cells, cells, Chance(0.1, -0.05, seed=3), delay_steps=3)
network = circuit.graph()
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    board = library_machine("raspberry-pi-5")
    monkeypatch.setattr(later, "machine", lambda name, progress=None: board, raising=False)
    (tmp_path / "small.py").write_text(RECIPE)
    return tmp_path


def test_spikes_and_figures(elsewhere: Path) -> None:
    graph = load_circuit(Path("small.py"))
    assert step_seconds(graph) == 1e-3
    done = run_circuit(graph, 0.2)
    (cells,) = done.spikes
    assert done.steps == 200
    assert 100 < len(cells.step) < 200 * 70
    assert np.all(np.diff(cells.step) >= 0)
    assert cells.neuron.max() < 70
    assert 4 < done.synaptic_events / len(cells.step) < 10  # 70 x 0.1
    done.save_spikes(elsewhere / "out.npz")
    with np.load(elsewhere / "out.npz") as kept:
        np.testing.assert_array_equal(kept["cells.neuron"], cells.neuron)
        assert kept["steps"] == 200
    predicted, measured = done.outcome.look()
    assert {s.opcode for s in measured.spans} == {s.opcode for s in predicted.spans}
    assert predicted.seconds > 0


def test_a_raster_goes_to_a_page_and_back() -> None:
    step, neuron = np.array([0, 3, 3]), np.array([2, 0, 6])
    raster = raster_of("cells", (4, 7), 1e-3, step, neuron)
    assert raster_from_json("here", json.loads(json.dumps(raster_json(raster)))) == raster
    assert raster_picture(raster).count("h1.2") == 3
    many = raster_of("cells", (10, 40000), 1e-3, np.zeros(40000, int), np.arange(40000))
    assert len(many.dots) <= 6000


def test_what_cannot_run_is_refused(elsewhere: Path) -> None:
    graph = load_circuit(Path("small.py"))
    with pytest.raises(JobError, match="is 0 steps"):
        run_circuit(graph, 1e-5)
    (elsewhere / "empty.py").write_text("x = 1")
    with pytest.raises(JobError, match="sets no `network`"):
        load_circuit(Path("empty.py"))
    result = CliRunner().invoke(app, ["run", "small.py"])
    assert result.exit_code != 0
