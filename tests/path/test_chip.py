"""From files to a chip: the command and what it says."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from netwright.cli.app import app
from netwright.errors import FormatError, JobError
from netwright.frontends.nir_write import write_nir
from netwright.graph.build import Builder
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.neuron import Lif
from netwright.machine.load import machine
from netwright.path.chip import load_for, read_spikes, run_on_chip

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
    found = run_on_chip(load_for(str(network), given, None), machine("loihi"), given).timeline
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
        load_for(str(network), {}, None)
    given = {"spikes": np.zeros((4, 7))}
    with pytest.raises(JobError, match="input spikes"):
        run_on_chip(load_for(str(network), given, None), machine("loihi"), given)
    assert read_spikes(spikes)["spikes"].shape == (40, 20)
