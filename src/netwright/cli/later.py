"""What is imported when there is something to show: rich costs more than a small network's pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netwright.later import imports_of

if TYPE_CHECKING:
    pass

HOMES = {
    "Asked": "netwright.path.spiking",
    "TextOptions": "netwright.path.text",
    "machine": "netwright.machine.load",
    "make_report": "netwright.report.report:report",
    "is_under_torchrun": "netwright.run.workers.torchrun",
    "CircuitOptions": "netwright.cli.run_circuit",
    "load_circuit": "netwright.path.stream",
    "network_for": "netwright.path.spiking",
    "read_spikes": "netwright.path.spiking",
    "new_bar": "netwright.cli.tables",
    "raster_of": "netwright.report.raster",
    "run_circuit": "netwright.path.stream",
    "run_circuit_file": "netwright.cli.run_circuit",
    "run_locally": "netwright.run.workers.launch",
    "run_on_ray": "netwright.run.workers.ray",
    "run_text": "netwright.path.text",
    "run_under_torchrun": "netwright.run.workers.torchrun",
    "sampling": "netwright.run.generate.sampling",
    "save_run": "netwright.report.save",
    "show_outcome": "netwright.cli.tables",
    "train_planned": "netwright.path.train",
    "training_plan": "netwright.path.train",
}
__getattr__ = imports_of(__name__, HOMES)
