"""From files to a chip: the command and what it says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import netwright as nw
from netwright.cli.app import app
from netwright.errors import FormatError, JobError, PlanError
from netwright.frontends.nir_write import write_nir
from netwright.graph.build import Builder
from netwright.graph.degree import out_degrees
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.neuron import Lif
from netwright.machine.load import machine
from netwright.path.chip import run_on_chip
from netwright.path.spiking import Asked, network_for, read_spikes
from netwright.path.stream import run_circuit
from netwright.run.record import record

pytest.importorskip("h5py", reason="NIR files are HDF5: pip install 'netwright[spiking]'")


def files(folder: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    b = Builder("net")
    x = b.input("spikes", (("step", 1), ("batch", 1), ("input", 20)))
    values = rng.standard_normal((30, 20)).astype(np.float32)
    weight = b.weight("w", (("n", 30), ("i", 20)), data=values)
    x = b.add(Lif(5e-3, 0.2), (b.add(Linear(), (x, weight), "product"), None), "neurons")
    write_nir(folder / "net.nir", b.finish([x]))
    spikes = (rng.random((40, 20)) < 0.2).astype(np.float32)
    np.savez(folder / "spikes.npz", spikes=spikes)
    return folder / "net.nir", folder / "spikes.npz"


def test_the_command_prints_time_energy_and_counts(tmp_path: Path) -> None:
    network, spikes = files(tmp_path)
    arguments = ["simulate", str(network), "--machine", "loihi2", "--input", str(spikes)]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "1 cores of 128" in shown.output and "synaptic events" in shown.output
    found = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).output)
    sent = int(np.load(spikes)["spikes"].sum())
    assert found["facts"]["synaptic_events"] == 30 * sent
    assert found["facts"]["packets"] == sent
    parts = [found["facts"][f"{part}_joules"] for part in ("synapse", "soma", "network")]
    assert found["joules"] == pytest.approx(sum(parts), rel=1e-12)
    assert found["facts"]["spikes"] == found["spikes"]["neurons"] > 0


def test_spans_hold_the_whole_energy(tmp_path: Path) -> None:
    network, spikes = files(tmp_path)
    given = read_spikes(spikes)
    asked = Asked(given)
    found = run_on_chip(network_for(str(network), asked), machine("loihi"), asked).timeline
    assert found.joules == pytest.approx(sum(s.joules or 0.0 for s in found.spans), rel=1e-12)
    assert found.fact("steps") == 40
    last = found.spans[-1]
    assert last.start_seconds + last.seconds <= found.seconds


def test_inputs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    network, spikes = files(tmp_path)
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"no zip")
    with pytest.raises(FormatError, match="npz"):
        read_spikes(bad)
    np.savez(bad, spikes=np.array([{}], dtype=object))
    with pytest.raises(FormatError, match="npz"):
        read_spikes(bad)
    with pytest.raises(JobError, match="expected arrays"):
        network_for(str(network), Asked({}))
    asked = Asked({"spikes": np.zeros((4, 7))})
    with pytest.raises(JobError, match="input spikes"):
        run_on_chip(network_for(str(network), asked), machine("loihi"), asked)
    assert read_spikes(spikes)["spikes"].shape == (40, 20)


def circuit_file(folder: Path) -> Path:
    """Spikes from outside, spikes by chance, delays of their own, and neurons that differ."""
    path = folder / "circuit.py"
    path.write_text(
        "import numpy as np\n"
        "from netwright.graph.circuit import Circuit\n"
        "from netwright.graph.ops.neuron import CubaLif, Lif\n"
        "from netwright.graph.ops.neuron_rule import Discretisation, Reset\n"
        "from netwright.graph.synapses import Chance, Matrix, Pairs\n"
        "circuit = Circuit('circuit', 1e-3)\n"
        "rule = Discretisation(1e-3, reset=Reset.SUBTRACT, input_scale=1.0)\n"
        "outside = circuit.input('outside', 20, rate_hz=200)\n"
        "chance = circuit.source('chance', 10, 100)\n"
        "each = {'tau_seconds': np.linspace(5e-3, 40e-3, 30)}\n"
        "a = circuit.population('a', 30, Lif(1.0, 1.0, rule), rate_hz=20, each=each)\n"
        "b = circuit.population('b', 8, CubaLif(1e-2, (5e-3,), 1.0, rule, resistance=9.0))\n"
        "circuit.project(outside, a, Chance(0.5, 0.4, seed=3), delay_steps=3)\n"
        "circuit.project(chance, a, Matrix(np.full((10, 30), 0.1)))\n"
        "pairs = Pairs(np.arange(30), np.arange(30) % 8, 0.5, np.arange(30) % 5 + 1)\n"
        "circuit.project(a, b, pairs)\n"
        "circuit.project(b[2:], a, Pairs(np.arange(6), np.arange(6), -0.5))\n"
        "network = circuit.graph()\n"
    )
    return path


def test_a_circuit_is_mapped_and_its_events_are_those_of_its_synapses(tmp_path: Path) -> None:
    source = circuit_file(tmp_path)
    given = {"outside": (np.random.default_rng(0).random((60, 20)) < 0.2).astype(float)}
    asked = Asked(given)
    graph = network_for(str(source), asked)
    found = run_on_chip(graph, machine("loihi"), asked)
    spikes = record(graph, given)
    degrees = dict(out_degrees(graph))
    degrees["outside"] = degrees.pop("outside now")
    degrees["b"] = np.r_[0, 0, np.ones(6, int)]
    events = sum(int(spikes[n].sum((0, 1)) @ d) for n, d in degrees.items() if n != "a")
    events += int(spikes["a"].sum())
    facts = dict(found.timeline.facts)
    assert facts["synaptic_events"] == events and facts["steps"] == 60
    assert found.spikes == tuple((n, int(spikes[n].sum())) for n in ("a", "b"))
    assert min(spikes["a"].sum(), spikes["b"].sum()) > 0
    assert found.program.simulate(spikes=spikes) == found.timeline
    mean = found.program.simulate()  # by the rates that the circuit declares
    assert dict(mean.facts)["spikes"] == pytest.approx(60 * (30 * 0.02 + 8 * 0.005))
    assert found.plan.prediction("step").joules == pytest.approx(mean.joules)
    page = nw.report(found.timeline, plan=found.plan)
    assert "spiking_core" in page.html() and "energy" in str(page)


def test_the_same_spikes_come_out_of_the_core_and_of_the_reference(tmp_path: Path) -> None:
    source = circuit_file(tmp_path)
    given = {"outside": (np.random.default_rng(1).random((60, 20)) < 0.2).astype(float)}
    graph = network_for(str(source), Asked(given))
    expected = record(graph, given)
    done = run_circuit(graph, None, inputs=given)
    for found in done.spikes:
        raster = np.zeros((60, found.neurons))
        raster[found.step, found.neuron] = 1.0
        np.testing.assert_array_equal(raster, expected[found.name][:, 0])
    longer = run_circuit(graph, 0.1, inputs=given)
    assert longer.steps == 100
    for short, long in zip(done.spikes, longer.spikes, strict=True):
        np.testing.assert_array_equal(long.neuron[long.step < 60], short.neuron)
    with pytest.raises(JobError, match="values other than 0 and 1"):
        run_circuit(graph, None, inputs={"outside": 0.5 * given["outside"]})
    with pytest.raises(JobError, match="input outside: got"):
        run_circuit(graph, None, inputs={"outside": given["outside"][:, :7]})


def test_the_commands_take_a_circuit_with_its_input(tmp_path: Path) -> None:
    source, spikes = circuit_file(tmp_path), tmp_path / "in.npz"
    np.savez(spikes, outside=np.ones((30, 20), np.uint8))
    ran = CliRunner().invoke(app, ["run", str(source), "--input", str(spikes), "--json"])
    assert ran.exit_code == 0, ran.output
    counts = {p["name"]: p["spikes"] for p in json.loads(ran.output)["populations"]}
    page, trace = tmp_path / "page.html", tmp_path / "trace.json"
    arguments = ["simulate", str(source), "--machine", "loihi2", "--input", str(spikes), "--json"]
    arguments += ["--report", str(page), "--trace", str(trace)]
    on_chip = json.loads(CliRunner().invoke(app, arguments).output)
    assert on_chip["spikes"] == {n: c for n, c in counts.items() if n in ("a", "b")}
    assert on_chip["predicted"]["energy_joules"] == on_chip["joules"] > 0
    assert "circuit" in page.read_text() and json.loads(trace.read_text())
    planned = CliRunner().invoke(app, ["plan", str(source), "--machine", "loihi2", "--explain"])
    assert planned.exit_code == 0 and "1 cores of 128" in planned.output


def test_what_does_not_fit_a_chip_is_a_value(tmp_path: Path) -> None:
    small = machine("loihi")
    assert small.spiking is not None
    small = replace(small, spiking=replace(small.spiking, axons_out=0))
    graph = network_for(str(circuit_file(tmp_path)), Asked())
    plan = nw.plan(graph, small, nw.Stream(steps=5))
    assert plan.infeasible is not None and plan.infeasible.unit == "axons"
    with pytest.raises(PlanError, match="axons out of one core"):
        plan.lower()
